import { scopeOf, type Target } from "#model/target.ts";
import type { Hold } from "./guards.ts";
import { busySteps, type Pass } from "./pass.ts";

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
  const machines = pool === null ? undefined : places.of.get(pool)?.machines;
  if (pool === null || machines === undefined) return null;
  const busy = new Set(
    busySteps(pass)
      .map(({ step }) => step.target)
      .filter((target) => scopeOf(target) === "machine" && machines.has(target)),
  );
  const most = Math.max(1, Math.floor(ladder.guards.atOnce * machines.size));
  if (busy.size >= most) return { reason: { kind: "at-once", pool, most }, untilMs: null, skip: false };
  const least = places.minHealthy.get(pool) ?? 0;
  if (!mayBeHealthy(pass, machine)) return null;
  const healthy = [...machines].filter((one) => !busy.has(one) && isHealthy(pass, one)).length;
  if (healthy - 1 >= least) return null;
  return { reason: { kind: "min-healthy", pool, least, healthy }, untilMs: null, skip: busy.size === 0 };
}

/** Whether acting on a machine could take a healthy one away: no check of it is known to fail. */
function mayBeHealthy({ input }: Pass, machine: Target): boolean {
  return !(input.index.checksAt.get(machine) ?? []).some(({ id }) => input.states.get(id)?.verdict === "failing");
}
