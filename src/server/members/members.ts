import { timingSafeEqual } from "node:crypto";
import { joinTokenDigest, newJoinToken, parseJoinToken } from "#link/secure/join-token.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import { type MachineId, namePattern } from "#model/names.ts";
import type { EventSink } from "../events/event-log.ts";
import { keys, parse, put, read, remove, unchanged } from "../objects/objects.ts";
import { transact } from "../operations/transact.ts";
import type { Store } from "../store/store.ts";
import { standingChanged } from "./standings.ts";

/** A machine that has joined. What it runs is not said here: that is observed. */
export interface Member {
  readonly name: MachineId;
  /** The digest of its key: whoever has another one is not this machine. */
  readonly key: string;
  readonly joinedAtMs: number;
  /** When what it ran was given up, to be started elsewhere; left out while it is there, or may be. */
  readonly lostAtMs?: number;
}

/** A token that was given out, by its digest. Kept for a while after its end, to tell one that was used from one that never was. */
interface StoredToken {
  readonly machine: MachineId;
  readonly sha256: string;
  readonly expiresAtMs: number;
  readonly labels: Readonly<Record<string, string>>;
  /** The key that it was used for; null until then. */
  readonly usedBy: string | null;
}

/** Long enough to walk over to the machine. */
const tokenLifeMs = 15 * 60_000;
const tokenKeptMs = 86_400_000;
/** Tokens that are kept at once: a pool of machines is made with a few hundred. */
const mostTokens = 10_000;

export interface MembersContext {
  readonly store: Store;
  readonly events: EventSink;
  readonly clock: Clock;
}

export function findMember(store: Pick<Store, "get">, name: string): Member | null {
  // It may come from a stranger and becomes a key.
  const entry = namePattern.test(name) ? store.get(keys.machine(name)) : null;
  return entry === null ? null : parse<Member>(entry).value;
}

export function listMembers(store: Pick<Store, "list">): readonly Member[] {
  return store.list(keys.machine("")).map((entry) => parse<Member>(entry).value);
}

/**
 * Makes a token with which one machine of this name joins, once, within 15 minutes. A machine that is a member already takes its own place with it.
 * @param authority the digest of the authority's public key
 */
export async function createToken(
  { store, clock }: MembersContext,
  machine: MachineId,
  authority: string,
  labels: Readonly<Record<string, string>>,
): Promise<{ readonly token: string; readonly expiresAtMs: number }> {
  const token = newJoinToken(machine, authority);
  const nowMs = clock.nowMs();
  const expiresAtMs = nowMs + tokenLifeMs;
  const stored: StoredToken = { machine, sha256: joinTokenDigest(token.text), expiresAtMs, labels, usedBy: null };
  await transact(store, null, () => {
    const kept = store.list(keys.joinToken("")).map((entry) => parse<StoredToken>(entry));
    const over = kept.filter(({ value }) => value.expiresAtMs + tokenKeptMs < nowMs);
    if (kept.length - over.length >= mostTokens)
      throw new DroverError("OVERLOADED", `${mostTokens} tokens for machines were made within a day`, {
        hint: "Use those that there are.",
      });
    const key = keys.joinToken(token.id);
    return { answer: {}, conditions: [unchanged(key, null)], changes: [put(key, stored), ...over.map((old) => remove(old.key))] };
  });
  return { token: token.text, expiresAtMs };
}

/**
 * Uses a token up and makes the machine a member, in one commit. Asked again with the same key, it says yes again: the answer may have been lost.
 * @throws {DroverError} JOIN_REFUSED
 */
export async function redeemToken({ store, events, clock }: MembersContext, text: string, machine: string, key: string): Promise<void> {
  const token = parseJoinToken(text);
  const { isNew } = await transact(store, null, () => {
    const stored = read<StoredToken>(store, keys.joinToken(token.id));
    const isRight = stored !== null && timingSafeEqual(Buffer.from(stored.value.sha256, "hex"), Buffer.from(joinTokenDigest(text), "hex"));
    if (!isRight) throw refused("this server has given out no such token, or long ago", machine);
    const { value } = stored;
    if (value.machine !== machine) throw refused(`the token is for "${value.machine}", not for "${machine}"`, machine);
    const isSame = value.usedBy === key && findMember(store, machine)?.key === key;
    if (value.usedBy !== null && !isSame) throw refused("the token was used already", machine);
    const nowMs = clock.nowMs();
    if (nowMs >= value.expiresAtMs) throw refused(`the token has expired at ${new Date(value.expiresAtMs).toISOString()}`, machine);
    if (isSame) return { answer: { isNew: false }, conditions: [], changes: [] };
    const memberKey = keys.machine(machine);
    const known = read<Member>(store, memberKey);
    const member: Member = { ...known?.value, name: value.machine, key, joinedAtMs: nowMs };
    const standing = standingChanged(store, value.machine, { labels: value.labels });
    return {
      answer: { isNew: true },
      conditions: [unchanged(stored.key, stored), unchanged(memberKey, known), ...standing.conditions],
      changes: [put(stored.key, { ...value, usedBy: key } satisfies StoredToken), put(memberKey, member), ...standing.changes],
    };
  });
  if (isNew) events.append({ kind: "machine.joined", message: `machine ${machine} joined`, subject: machine });
}

/** Notes that what a machine ran was given up, or that it is back. Of no machine that is no member. */
export async function setLost(store: Store, name: MachineId, lostAtMs: number | null): Promise<void> {
  await changeMember(store, name, ({ lostAtMs: before, ...member }) =>
    (before === undefined) === (lostAtMs === null) ? null : lostAtMs === null ? member : { ...member, lostAtMs },
  );
}

/** @param change the member as it is to be; null: as it is. @returns whether there is such a member */
async function changeMember(store: Store, name: MachineId, change: (member: Member) => Member | null): Promise<boolean> {
  const { isMember } = await transact(store, null, () => {
    const stored = namePattern.test(name) ? read<Member>(store, keys.machine(name)) : null;
    const next = stored === null ? null : change(stored.value);
    if (stored === null || next === null) return { answer: { isMember: stored !== null }, conditions: [], changes: [] };
    return { answer: { isMember: true }, conditions: [unchanged(stored.key, stored)], changes: [put(stored.key, next)] };
  });
  return isMember;
}

/** Makes the machine a stranger: its certificate is worth nothing from now on, and nothing that was said of it counts. @throws {DroverError} MACHINE_NOT_FOUND */
export async function removeMember({ store, events }: MembersContext, name: MachineId): Promise<void> {
  await transact(store, null, () => {
    const stored = namePattern.test(name) ? read<Member>(store, keys.machine(name)) : null;
    if (stored === null) throw noSuchMachine(name);
    return { answer: {}, conditions: [unchanged(stored.key, stored)], changes: [remove(stored.key), remove(keys.standing(name))] };
  });
  events.append({ kind: "machine.removed", message: `machine ${name} was removed`, subject: name });
}

export function noSuchMachine(name: string): DroverError {
  return new DroverError("MACHINE_NOT_FOUND", `there is no machine "${name}" that has joined`, {
    hint: '"drover machine ls" lists the machines.',
  });
}

function refused(why: string, machine: string): DroverError {
  const hint = `Make another with "drover machine token ${namePattern.test(machine) ? machine : "NAME"}"; each is good once, for 15 minutes.`;
  return new DroverError("JOIN_REFUSED", why, { hint });
}
