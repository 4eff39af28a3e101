import type { PoolView } from "#model/api-pools.ts";
import type { MachineId } from "#model/names.ts";
import { isOfPool, machinesOf, type Pool } from "#model/pool.ts";
import type { PoolWatch } from "./pool-watch.ts";
import type { ProviderAbout } from "./provider.ts";

/** What people see of a pool. @param failingAt names of the checks that fail at a machine @param about what its provider says of itself */
export function viewPool(
  watch: PoolWatch,
  pool: Pool,
  failingAt: (machine: MachineId) => readonly string[],
  about: ProviderAbout | null = null,
): PoolView {
  const view = watch.view(pool.space, pool.name);
  const { provider } = watch.provider(pool.space, pool.name);
  const wanted = machinesOf(pool);
  const machines = wanted.map((name): PoolView["machines"][number] => {
    const known = view?.machines.get(name);
    const power = known?.power ?? (view === null || view.problem !== null ? "unknown" : "absent");
    const failing = [...failingAt(name)];
    return { name, power, address: known?.address ?? null, isReady: power === "on" && failing.length === 0, failing };
  });
  const isSurplus = (name: MachineId) => !wanted.includes(name) && isOfPool(name, pool.name);
  return {
    name: pool.name,
    space: pool.space,
    provider: provider.name,
    can: { ...provider.can },
    wanted: pool.machines,
    leastHealthy: pool.healthy,
    ready: machines.filter(({ isReady }) => isReady).length,
    atMs: view === null || view.atMs === 0 ? null : view.atMs,
    problem:
      view === null || view.problem === null ? null : { code: view.problem.code, message: view.problem.message, hint: view.problem.hint },
    machines,
    publicKey: about?.publicKey ?? null,
    spare: [...(about?.spare ?? [])],
    surplus: [...(view?.machines.keys() ?? [])].filter(isSurplus),
  };
}
