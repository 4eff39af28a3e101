import type { StayingInstance } from "#model/api-machines.ts";
import { type AppId, appId, type MachineId } from "#model/names.ts";
import type { Reason } from "#model/workload.ts";
import type { Core } from "../controllers/core.ts";
import type { KnownWorkload } from "../fleet/known.ts";
import { standingOf } from "../members/standings.ts";
import type { Store } from "../store/store.ts";

/** Instances of a machine that are named: the first few explain, the rest is a number that the machine has. */
const mostNamed = 100;
/** Processes that a condition names. */
const mostTold = 3;

interface StayingOptions {
  readonly store: Store;
  readonly core: Pick<Core, "fleet" | "apps">;
  /** Apps whose volumes are on a machine. */
  readonly boundTo: (machine: MachineId) => readonly AppId[];
}

/** What a machine that is drained still runs, and why each instance is there: in the words of placement where it cannot go. Nothing where it is not drained. */
export function stayingOn({ store, core, boundTo }: StayingOptions, machine: MachineId): readonly StayingInstance[] {
  if (!standingOf(store, machine).draining) return [];
  const bound = new Set(boundTo(machine));
  const staying: StayingInstance[] = [];
  for (const workload of core.fleet.workloadsOn(machine)) {
    const app = appId(workload.name.space, workload.name.app);
    for (const { id, state } of workload.instances.values()) {
      if (staying.length === mostNamed) return staying;
      const isEnding = state === "draining" || state === "stopping";
      const stuck = isEnding ? null : whyStuck(core, workload, app, bound, machine);
      const why = stuck ?? (isEnding ? "it finishes what it has, and stops" : whyNotYet(core, workload, app));
      staying.push({ instance: id, app, process: workload.name.process, canMove: stuck === null, why });
    }
  }
  return staying.sort((a, b) => Number(a.canMove) - Number(b.canMove) || (a.instance < b.instance ? -1 : 1));
}

function whyStuck({ apps }: Pick<Core, "apps">, { kind, name }: KnownWorkload, app: AppId, bound: ReadonlySet<AppId>, machine: MachineId) {
  if (bound.has(app)) return `its volumes are on ${machine}`;
  if (kind !== "service") return null;
  return apps.progress(app).unplaced.find((one) => one.name === name.process)?.words ?? null;
}

function whyNotYet({ apps }: Pick<Core, "apps">, { kind }: KnownWorkload, app: AppId): string {
  if (kind !== "service") return "it ends by itself";
  const { waitingFor } = apps.progress(app);
  return waitingFor.length === 0 ? "it is about to move" : `it moves; the app waits for ${waitingFor.join(", ")}`;
}

/** Machines that cannot be emptied. */
export function drainsStuck(options: StayingOptions): readonly Reason[] {
  return options.core.fleet.machines().flatMap(({ id }): readonly Reason[] => {
    const stuck = stayingOn(options, id).filter(({ canMove }) => !canMove);
    if (stuck.length === 0) return [];
    const words = [...new Set(stuck.map(({ app, why }) => `${app}: ${why}`))];
    const more = words.length - mostTold;
    const named = `${words.slice(0, mostTold).join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
    const count = stuck.length === 1 ? "1 instance cannot move" : `${stuck.length} instances cannot move`;
    return [{ code: "DRAIN_STUCK", message: `${id} is drained, and ${count}: ${named}` }];
  });
}
