import type { MachineId } from "#model/names.ts";
import { keys, put, read, remove, unchanged } from "../objects/objects.ts";
import { transact } from "../operations/transact.ts";
import type { Store, StoreReader } from "../store/store.ts";

/** What people have said of a machine. */
export interface Standing {
  /** Takes nothing new. */
  readonly cordoned: boolean;
  /** What it runs goes elsewhere. */
  readonly draining: boolean;
}

const usual: Standing = { cordoned: false, draining: false };

export function standingOf(store: StoreReader, machine: MachineId): Standing {
  return read<Standing>(store, keys.standing(machine))?.value ?? usual;
}

export async function setStanding(store: Store, machine: MachineId, change: Partial<Standing>): Promise<Standing> {
  const { cordoned, draining } = await transact(store, null, () => {
    const key = keys.standing(machine);
    const stored = read<Standing>(store, key);
    const next = { ...(stored?.value ?? usual), ...change };
    const isUsual = !next.cordoned && !next.draining;
    const changes = isUsual ? (stored === null ? [] : [remove(key)]) : [put(key, next)];
    return { answer: next, conditions: [unchanged(key, stored)], changes };
  });
  return { cordoned, draining };
}
