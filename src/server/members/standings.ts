import type { MachineId } from "#model/names.ts";
import type { EventSink, NewEvent } from "../events/event-log.ts";
import { keys, put, read, remove, unchanged } from "../objects/objects.ts";
import { isEqualJson } from "../operations/release-spec.ts";
import { transact } from "../operations/transact.ts";
import type { Change, Condition, Store, StoreReader } from "../store/store.ts";

/** What people have said of a machine. */
export interface Standing {
  /** Takes nothing new. */
  readonly cordoned: boolean;
  /** What it runs goes elsewhere. */
  readonly draining: boolean;
  /** While it drains, what can go nowhere else because its volumes are there is stopped. */
  readonly forced: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

export interface StandingChange extends Partial<Omit<Standing, "labels">> {
  /** Others stay as they are; null takes one away. */
  readonly labels?: Readonly<Record<string, string | null>>;
}

const usual: Standing = { cordoned: false, draining: false, forced: false, labels: {} };

export function standingOf(store: StoreReader, machine: MachineId): Standing {
  return { ...usual, ...read<Standing>(store, keys.standing(machine))?.value };
}

export async function setStanding(store: Store, machine: MachineId, change: StandingChange, events: EventSink): Promise<Standing> {
  let before = usual;
  const { cordoned, draining, forced, labels } = await transact(store, null, () => {
    before = standingOf(store, machine);
    const { next, ...commit } = standingChanged(store, machine, change);
    return { answer: next, ...commit };
  });
  const standing = { cordoned, draining, forced, labels };
  for (const event of standingNews(machine, before, standing)) events.append({ ...event, subject: machine });
  return standing;
}

function standingNews(machine: MachineId, before: Standing, after: Standing): readonly Pick<NewEvent, "kind" | "message">[] {
  const news: Pick<NewEvent, "kind" | "message">[] = [];
  if (before.cordoned !== after.cordoned)
    news.push(
      after.cordoned
        ? { kind: "machine.cordoned", message: `machine ${machine} takes nothing new` }
        : { kind: "machine.uncordoned", message: `machine ${machine} takes new instances again` },
    );
  if (before.draining !== after.draining)
    news.push(
      after.draining
        ? { kind: "machine.draining", message: `what machine ${machine} runs goes elsewhere` }
        : { kind: "machine.drain-ended", message: `machine ${machine} keeps what it runs` },
    );
  if (!before.forced && after.forced)
    news.push({
      kind: "machine.forced",
      message: `what has its volumes on machine ${machine} is stopped until the machine takes instances again`,
    });
  if (!isEqualJson(before.labels, after.labels)) {
    const labels = Object.entries(after.labels).map(([name, value]) => `${name}=${value}`);
    news.push({ kind: "machine.labelled", message: `machine ${machine} has ${labels.length === 0 ? "no labels" : labels.join(", ")}` });
  }
  return news;
}

/** What a commit has to contain for the change. */
export function standingChanged(
  store: StoreReader,
  machine: MachineId,
  change: StandingChange,
): { readonly next: Standing; readonly conditions: readonly Condition[]; readonly changes: readonly Change[] } {
  const key = keys.standing(machine);
  const stored = read<Standing>(store, key);
  const before = { ...usual, ...stored?.value };
  const labels = Object.entries({ ...before.labels, ...change.labels }).filter((pair): pair is [string, string] => pair[1] !== null);
  const said = { ...before, ...change, labels: Object.fromEntries(labels) };
  const next = { ...said, forced: said.draining && said.forced };
  const isUsual = !next.cordoned && !next.draining && labels.length === 0;
  const changes = isUsual ? (stored === null ? [] : [remove(key)]) : [put(key, next)];
  return { next, conditions: [unchanged(key, stored)], changes };
}
