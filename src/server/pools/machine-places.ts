import type { MachineId, SpaceName } from "#model/names.ts";
import { machinesOf } from "#model/pool.ts";
import type { Target } from "#model/target.ts";
import type { PoolWatch } from "./pool-watch.ts";

/** Where checks reach a target. */
export type Whereabouts =
  | { readonly kind: "at"; readonly address: string }
  /** Its provider says that it is not there: what should answer there fails. */
  | { readonly kind: "absent"; readonly why: string }
  /** Its provider does not say: nobody can tell how it is. */
  | { readonly kind: "silent"; readonly why: string }
  /** Nobody has said yet. */
  | { readonly kind: "unknown" };

/** Where the machines are that the pools of a space should have, by target; and the pools themselves, of which nobody can tell yet how many are ready. */
export function machinePlaces(watch: PoolWatch, space: SpaceName): ReadonlyMap<Target, Whereabouts> {
  const places = new Map<Target, Whereabouts>();
  for (const pool of watch.pools(space)) {
    const view = watch.view(space, pool.name);
    // A provider that once answered is believed: how its machines are, their own checks say from then on.
    if (view === null) places.set(`pool/${pool.name}`, { kind: "unknown" });
    else if (view.atMs === 0 && view.problem !== null) places.set(`pool/${pool.name}`, { kind: "silent", why: view.problem.message });
    for (const name of machinesOf(pool)) places.set(`machine/${name}`, whereIs(name, view));
  }
  return places;
}

function whereIs(name: MachineId, view: ReturnType<PoolWatch["view"]>): Whereabouts {
  if (view === null) return { kind: "unknown" };
  const machine = view.machines.get(name);
  // Where it was known to be it can still be reached, whatever becomes of its provider.
  if (machine !== undefined && machine.address !== null) return { kind: "at", address: machine.address };
  const problem = view.problem ?? machine?.problem;
  if (problem !== undefined) return { kind: "silent", why: problem.message };
  if (machine === undefined) return { kind: "absent", why: `its provider has no machine "${name}"` };
  return { kind: "absent", why: `"${name}" is ${machine.power === "changing" ? "on its way" : machine.power}, and has no address` };
}
