import type { AppName, MachineId, PoolName } from "../../../src/model/names.ts";
import type { Target, Topology } from "../../../src/model/target.ts";
import type { StepOrder } from "../../../src/plan/ladder/input.ts";
import type { SeededRandom } from "../random.ts";

/** How one execution of an action turns out. */
type Temper = "works" | "fails" | "fails-late" | "half" | "hangs" | "lies";

export interface Execution {
  readonly step: StepOrder;
  readonly endsAtMs: number | null;
  readonly temper: Temper;
}

/**
 * What the ladder is to mend: a provider, a network, pools, machines and apps that stand on each other, and actions that mend their own part of
 * it, fail, hang, do half of it, or say that all is well when it is not.
 */
export class Environment {
  readonly topology: Topology;
  readonly #random: SeededRandom;
  readonly #down = new Set<string>();
  isFaulty = true;

  constructor(random: SeededRandom) {
    this.#random = random;
    const pools = ["web", "db", "batch"].slice(0, random.between(1, 3)) as PoolName[];
    const apps: AppName[] = [];
    const machines = pools.flatMap((pool) => {
      const names = Array.from({ length: random.between(1, 4) }, (_, i) => `${pool}${i + 1}` as MachineId);
      const own = Array.from({ length: random.between(0, 2) }, (_, i) => `${pool}-app${i + 1}` as AppName);
      apps.push(...own);
      return names.map((name, i) => ({ name, pool, apps: own.filter((_, n) => i === 0 || n === 0 || random.chance(0.3)) }));
    });
    this.topology = { pools: pools.map((name) => ({ name, minHealthy: random.between(0, 2) })), machines, apps };
  }

  /** Everything that can break by itself. */
  parts(): readonly string[] {
    const { pools, machines, apps } = this.topology;
    return [
      "provider",
      "network",
      ...pools.map(({ name }) => `pool/${name}`),
      ...machines.flatMap(({ name }) => [`machine/${name}`, `services/${name}`]),
      ...apps.map((name) => `app/${name}`),
    ];
  }

  break(part: string): void {
    this.#down.add(part);
  }

  breakAll(): void {
    for (const part of this.parts()) this.#down.add(part);
  }

  isWhole(): boolean {
    return this.#down.size === 0;
  }

  /** Whether a check passes in truth. */
  passes(check: string, target: Target): boolean {
    const name = target.slice(target.indexOf("/") + 1);
    const up = (part: string) => !this.#down.has(part);
    const isNetworkUp = up("provider") && up("network");
    const machine = (id: string) => this.topology.machines.find((one) => one.name === id);
    const answers = (id: string) => isNetworkUp && up(`machine/${id}`) && up(`pool/${machine(id)?.pool}`);
    const serves = (id: string) => answers(id) && up(`services/${id}`);
    if (check === "provider-online") return up("provider");
    if (check === "net") return isNetworkUp;
    if (check === "ping") return answers(name);
    if (check === "services") return serves(name);
    if (check === "pool-serves")
      return isNetworkUp && up(`pool/${name}`) && this.topology.machines.some((one) => one.pool === name && answers(one.name));
    const own = this.topology.machines.filter(({ apps }) => apps.includes(name as AppName));
    return up(`app/${name}`) && own.some((one) => serves(one.name));
  }

  execute(step: StepOrder, nowMs: number): Execution {
    const roll = this.isFaulty ? this.#random.next() : 0;
    const temper: Temper =
      roll < 0.7 ? "works" : roll < 0.78 ? "fails" : roll < 0.83 ? "fails-late" : roll < 0.88 ? "half" : roll < 0.93 ? "hangs" : "lies";
    const tookMs = this.#random.pick([200, 3_000, 15_000, 40_000]);
    return { step, temper, endsAtMs: temper === "hangs" ? null : nowMs + tookMs };
  }

  /** What an execution leaves behind when it ends. */
  complete({ step, temper }: Execution): "ok" | "failed" {
    if (temper === "works" || temper === "fails-late") this.#mend(step);
    if (temper === "half" && step.level === "machine") this.#down.add(`services/${step.target.slice(8)}`);
    return temper === "works" || temper === "lies" || temper === "half" ? "ok" : "failed";
  }

  #mend({ level, target }: StepOrder): void {
    const name = target.slice(target.indexOf("/") + 1);
    if (level === "provider" || level === "network") this.#down.delete(level);
    if (level === "pool") this.#down.delete(target);
    if (level === "app") this.#down.delete(target);
    if (level === "converge") this.#down.delete(`services/${name}`);
    if (level === "machine") {
      this.#down.delete(target);
      // A new machine is empty.
      this.#down.add(`services/${name}`);
    }
  }
}
