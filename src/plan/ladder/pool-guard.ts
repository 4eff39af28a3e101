import type { Target } from "#model/target.ts";
import type { Hold } from "./guards.ts";
import { type Pass, quietUntilMs } from "./pass.ts";
import { targetsInside } from "./places.ts";

/** The machines of a pool, counted once for a plan and kept up with what it starts. */
export interface PoolStand {
  /** On how many something acts, or is quiet. */
  busy: number;
  /** How many of the others are healthy. */
  healthy: number;
  /** When the first of the busy ones is free, in epoch milliseconds; infinite if nobody knows. */
  readonly freeAtMs: number;
}

/** Whether every check that looks at a machine passes, with fresh results. What is not known is not healthy. */
export function isHealthy({ input }: Pass, target: Target): boolean {
  const checks = input.index.checksAt.get(target) ?? [];
  return (
    checks.length > 0 &&
    checks.every(({ id, freshMs }) => {
      const state = input.states.get(id);
      return state?.verdict === "ok" && state.atMs + freshMs > input.nowMs;
    })
  );
}

/**
 * What its pool says against acting on a machine: a share at once, and never below the minimum of healthy ones. `skip`: nothing is going on that
 * could change that, so the machine is left alone.
 */
export function holdOfPool(pass: Pass, machine: Target): (Hold & { readonly skip: boolean }) | null {
  const { places, ladder } = pass.input.index;
  const pool = places.of.get(machine)?.pool ?? null;
  if (pool === null) return null;
  const { busy, healthy, freeAtMs: untilMs } = standOf(pass, pool);
  const most = Math.max(1, Math.floor(ladder.guards.atOnce * targetsInside(places, pool, "machine").length));
  if (busy >= most) return { reason: { kind: "at-once", pool, most }, untilMs, skip: false };
  const least = places.minHealthy.get(pool) ?? 0;
  if (!mayBeHealthy(pass, machine) || healthy - 1 >= least) return null;
  return { reason: { kind: "min-healthy", pool, least, healthy }, untilMs, skip: busy === 0 };
}

/** Counts a machine as acted on from now. */
export function takeFromPool(pass: Pass, machine: Target): void {
  const pool = pass.input.index.places.of.get(machine)?.pool ?? null;
  if (pool === null) return;
  const stand = standOf(pass, pool);
  stand.busy++;
  if (isHealthy(pass, machine)) stand.healthy--;
}

function standOf(pass: Pass, pool: Target): PoolStand {
  const known = pass.pools.get(pool);
  if (known !== undefined) return known;
  const machines = targetsInside(pass.input.index.places, pool, "machine");
  const { true: free = [], false: busy = [] } = Object.groupBy(machines, (machine) => `${pass.busy.at(machine).length === 0}` as const);
  const stand = {
    busy: busy.length,
    healthy: free.filter((machine) => isHealthy(pass, machine)).length,
    freeAtMs: Math.min(...busy.map((machine) => Math.max(...pass.busy.at(machine).map((step) => quietUntilMs(pass, step))))),
  };
  pass.pools.set(pool, stand);
  return stand;
}

/** Whether acting on a machine could take a healthy one away: no check of it is known to fail. */
function mayBeHealthy({ input }: Pass, machine: Target): boolean {
  return !(input.index.checksAt.get(machine) ?? []).some(({ id }) => input.states.get(id)?.verdict === "failing");
}
