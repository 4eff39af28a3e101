import type { PoolView } from "#model/api-pools.ts";
import type { DroverError } from "#model/errors.ts";
import type { MachineId } from "#model/names.ts";
import { isOfPool, machinesOf, type Pool } from "#model/pool.ts";
import { isOnItsWayOut, type SizedState } from "#plan/pools/pool.ts";
import type { PoolWatch } from "./pool-watch.ts";
import type { ProviderAbout } from "./provider.ts";
import type { PoolStanding } from "./rules/pool-keeper.ts";

/** What is known of a pool besides its machines. */
export interface PoolDetails {
  /** What its provider says of itself. */
  readonly about?: ProviderAbout | null;
  /** What its rules have decided. */
  readonly standing?: PoolStanding | null;
}

/** What people see of a pool. @param failingAt names of the checks that fail at a machine */
export function viewPool(
  watch: PoolWatch,
  pool: Pool,
  failingAt: (machine: MachineId) => readonly string[],
  { about = null, standing = null }: PoolDetails = {},
): PoolView {
  const view = watch.view(pool.space, pool.name);
  const { provider } = watch.provider(pool.space, pool.name);
  const wanted = machinesOf(pool);
  const machines = wanted.map((name): PoolView["machines"][number] => {
    const known = view?.machines.get(name);
    const power = known?.power ?? (view === null || view.problem !== null ? "unknown" : "absent");
    const failing = [...failingAt(name)];
    const intent = standing?.sights.machines.get(name) ?? null;
    const isReady = power === "on" && failing.length === 0;
    return { name, power, address: known?.address ?? null, isReady, failing, intent, problem: problemOf(known?.problem) };
  });
  const moving = new Set(standing?.machines.map(({ name }) => name));
  const isSurplus = (name: MachineId) => !wanted.includes(name) && !moving.has(name) && isOfPool(name, pool.name);
  return {
    name: pool.name,
    space: pool.space,
    provider: provider.name,
    can: { ...provider.can },
    wanted: pool.machines,
    leastHealthy: pool.healthy,
    ready: machines.filter(({ isReady }) => isReady).length,
    atMs: view === null || view.atMs === 0 ? null : view.atMs,
    problem: problemOf(view?.problem),
    machines,
    rules: rulesOf(pool, standing),
    publicKey: about?.publicKey ?? null,
    spare: [...(about?.spare ?? [])],
    surplus: [...(view?.machines.keys() ?? [])].filter(isSurplus),
  };
}

function rulesOf({ rules }: Pool, standing: PoolStanding | null): PoolView["rules"] {
  if (rules === null) return null;
  const moving = (isMeant: (state: SizedState) => boolean) =>
    (standing?.machines ?? []).flatMap(({ name, state }) =>
      isMeant(state) ? [{ name, intent: standing?.sights.machines.get(name) ?? "" }] : [],
    );
  const [coming, leaving] = [moving((state) => state === "coming"), moving(isOnItsWayOut)];
  return {
    min: rules.min,
    max: rules.max,
    why: standing?.why ?? "it was not looked at yet",
    need: standing?.need?.words ?? null,
    coming: coming.map(({ name }) => name),
    leaving: leaving.map(({ name }) => name),
    waiting: standing?.sights.waiting ?? null,
    busy: standing?.sights.busy ?? null,
    moving: [...coming, ...leaving],
  };
}

function problemOf(problem: DroverError | null | undefined): PoolView["problem"] {
  return problem == null ? null : { code: problem.code, message: problem.message, hint: problem.hint };
}
