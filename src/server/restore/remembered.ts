import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { AppName, SpaceName } from "#model/names.ts";
import { isCount, isListOf, isRecord, isText, parseJson } from "#model/shape.ts";
import { tokenId } from "../access/stored-token.ts";
import { followStore } from "../controllers/follow-store.ts";
import type { AheadNote } from "../controllers/reviews.ts";
import type { EventSink } from "../events/event-log.ts";
import { listMembers } from "../members/members.ts";
import { keys, objects, put, read, remove } from "../objects/objects.ts";
import { tokenRemoval } from "../operations/forget-tokens.ts";
import type { Change, Store, StoreReader } from "../store/store.ts";

/** What a backup that takes the store's place must not take back. It is in a file beside the store, where no backup has it. */
export interface Remembered {
  /** Of the store that it is about. */
  readonly epoch: number;
  /** Tokens that count; a token of a backup that is not among them was revoked. */
  readonly tokens: readonly string[];
  /** Machines that are members, each with its key. */
  readonly machines: readonly string[];
  /** The last release of each app: its numbers have been used up. */
  readonly releases: Readonly<Record<string, number>>;
}

/** Null where there is none: a new home, or one of an older version. */
export async function readRemembered(file: string): Promise<Remembered | null> {
  const read = parseJson((await readTextIfThere(file)) ?? "");
  if (!isRecord(read)) return null;
  const { epoch, tokens, machines, releases } = read;
  const isName = (one: unknown): one is string => isText(one);
  return isCount(epoch) &&
    isListOf(tokens, isName) &&
    isListOf(machines, isName) &&
    isRecord(releases) &&
    Object.values(releases).every(isCount)
    ? { epoch, tokens, machines, releases: releases as Readonly<Record<string, number>> }
    : null;
}

/** Many apps that are deployed together are one write. */
const betweenMs = 200;

const memberId = ({ name, key }: { readonly name: string; readonly key: string }) => `${name}/${key}`;

/** Of a restored store, what was revoked after its backup was made; names. */
export function revokedSince(store: StoreReader, { tokens, machines }: Remembered) {
  const [knownTokens, knownMachines] = [new Set(tokens), new Set(machines)];
  return {
    tokens: objects.tokens(store).filter(({ value }) => !knownTokens.has(tokenId(value))),
    machines: listMembers(store).filter((member) => !knownMachines.has(memberId(member))),
  };
}

export interface RememberedContext {
  readonly file: string;
  readonly store: Store;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Revokes once more what a backup that was restored has brought back, and keeps the numbers of releases that were used since it was made from being used again.
 * From then on writes down what counts, whenever that changes, until the signal aborts. To be called before anybody is let in.
 * @returns what is over once nothing more is written
 */
export async function openRemembered(context: RememberedContext, signal: AbortSignal): Promise<{ readonly stopped: Promise<void> }> {
  const { file, store } = context;
  const before = await readRemembered(file);
  if (before !== null && before.epoch < store.epoch) await applyRemembered(context, before);
  const releases = new Map(objects.apps(store).map(({ value: { space, name, lastRelease } }) => [`${space}/${name}`, lastRelease]));
  await writeRemembered(context, releases);
  return { stopped: follow(context, releases, signal) };
}

async function applyRemembered({ store, events }: RememberedContext, before: Remembered): Promise<void> {
  const { tokens, machines } = revokedSince(store, before);
  const changes: Change[] = [
    ...tokens.flatMap(tokenRemoval),
    ...machines.flatMap(({ name }) => [remove(keys.machine(name)), remove(keys.standing(name))]),
  ];
  for (const [id, release] of Object.entries(before.releases)) {
    const [space, app] = id.split("/") as [SpaceName, AppName];
    const note = read<AheadNote>(store, keys.ahead(space, app))?.value;
    if ((objects.app(store, space, app)?.value.lastRelease ?? 0) < release && (note?.release ?? 0) < release)
      changes.push(put(keys.ahead(space, app), { release, discarded: note?.discarded ?? null } satisfies AheadNote));
  }
  if (changes.length === 0) return;
  await store.commit({ changes });
  for (const { value } of tokens)
    events.append({
      kind: "token.revoked",
      subject: value.name,
      message: `the token "${value.name}" was revoked after the restored backup was made, and stays so`,
    });
  for (const { name } of machines)
    events.append({
      kind: "machine.removed",
      subject: name,
      message: `machine ${name} was removed after the restored backup was made, and stays so`,
    });
}

async function writeRemembered({ file, store }: RememberedContext, releases: ReadonlyMap<string, number>): Promise<void> {
  const remembered: Remembered = {
    epoch: store.epoch,
    tokens: objects.tokens(store).map(({ value }) => tokenId(value)),
    machines: listMembers(store).map(memberId),
    releases: Object.fromEntries(releases),
  };
  await writeFileAtomic(file, `${JSON.stringify(remembered)}\n`, { mode: 0o600 });
}

/** @param releases as they were last seen: apps change far more often than they are deployed, and all of them are never read again */
async function follow(context: RememberedContext, releases: Map<string, number>, signal: AbortSignal): Promise<void> {
  const { store, clock, log } = context;
  let isChanged = false;
  let writing: Promise<void> | null = null;
  const write = async () => {
    while (isChanged) {
      isChanged = false;
      try {
        await writeRemembered(context, releases);
      } catch (error) {
        // The next change writes all of it.
        log.warn("what counts could not be written down beside the store", errorFields(error));
      }
      await pause(clock, betweenMs, signal);
    }
    writing = null;
  };
  const note = () => {
    isChanged = true;
    writing ??= write();
  };
  const onApp = (key: string) => {
    const [, , space, name] = key.split("/") as [string, string, SpaceName, AppName];
    const release = objects.app(store, space, name)?.value.lastRelease ?? null;
    if (release === (releases.get(`${space}/${name}`) ?? null)) return;
    if (release === null) releases.delete(`${space}/${name}`);
    else releases.set(`${space}/${name}`, release);
    note();
  };
  const onAll = () => {
    for (const { key } of objects.apps(store)) onApp(key);
    note();
  };
  const onKey = note;
  await Promise.all([
    followStore("/apps/", onApp, onAll, context, signal),
    followStore(keys.token(""), onKey, onKey, context, signal),
    followStore(keys.machine(""), onKey, onKey, context, signal),
  ]);
  // What was changed in the last moment has been told to nobody.
  onAll();
  await writing;
}
