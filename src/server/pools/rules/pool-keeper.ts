import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { AppName, MachineId, PoolName, SpaceName } from "#model/names.ts";
import type { Pool, ProvidedMachine } from "#model/pool.ts";
import type { PoolAction, PoolPlan } from "#plan/pools/plan-pool.ts";
import { planPools } from "#plan/pools/plan-pools.ts";
import { isOnItsWay, type PoolInput } from "#plan/pools/pool.ts";
import { type PoolSights, sightsOf } from "#plan/pools/sights.ts";
import type { Core } from "../../controllers/core.ts";
import type { Leadership } from "../../escalator/leadership.ts";
import type { EventLog } from "../../events/event-log.ts";
import { setStanding, standingOf } from "../../members/standings.ts";
import { put, unchanged } from "../../objects/objects.ts";
import { type PoolSize, poolSizeKeys, readPoolSize, type SizedMachine } from "../../objects/pool-size.ts";
import { transact } from "../../operations/transact.ts";
import type { Store } from "../../store/store.ts";
import { PoolCalls, type PoolCallsOptions } from "./pool-calls.ts";
import { keptBy, type PoolFactsOptions, poolFacts, type RuledPool, runsNothing, Since, shortagesOf, sizedMachines } from "./pool-facts.ts";

export interface PoolKeeperOptions extends PoolCallsOptions {
  readonly store: Store;
  readonly lead: Leadership;
  readonly core: Pick<Core, "fleet" | "apps">;
  readonly events: EventLog;
  readonly forgetMember: (machine: MachineId) => Promise<void>;
  /** Whether machines that are made join, so that one is there when its agent is. */
  readonly joins: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/** What was decided about a pool at the last look. */
export interface PoolStanding {
  readonly why: string;
  /** What a person has to do; null: nothing. */
  readonly need: PoolPlan["need"];
  /** Machines that do not come, or do not go, with why, in words. */
  readonly stuck: readonly string[];
  /** What each rule sees, and what is intended with each machine. */
  readonly sights: PoolSights;
  /** Apps of its space for whose instances it has no room. */
  readonly short: ReadonlySet<AppName>;
  readonly machines: readonly SizedMachine[];
}

/** Rules go by seconds and minutes. */
const lookEveryMs = 2_000;
const hourMs = 3_600_000;

/**
 * Has pools with rules follow their work. What it adds or takes away is its own until it is there, or gone: only what is kept is looked after by the
 * Escalator, and nothing of a pool changes while a run acts on it. So the two never act on one machine.
 */
export class PoolKeeper {
  readonly #options: PoolKeeperOptions;
  readonly #signal: AbortSignal;
  readonly #since = new Since();
  readonly #standings = new Map<string, PoolStanding>();
  readonly #calls: PoolCalls;
  readonly #facts: PoolFactsOptions;
  #running: Promise<void> | null = null;

  constructor(options: PoolKeeperOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#calls = new PoolCalls(options, signal);
    this.#facts = { store: options.store, core: options.core, pools: options.pools, calls: this.#calls };
  }

  /** Takes the pools as they are declared now. */
  update(): void {
    if (!this.#signal.aborted && this.#ruled().length > 0) this.#running ??= this.#run();
  }

  /** Null: it has no rules, or was not looked at yet. */
  standingOf(space: SpaceName, pool: PoolName): PoolStanding | null {
    return this.#standings.get(`${space}/${pool}`) ?? null;
  }

  async stopped(): Promise<void> {
    await this.#running;
    await this.#calls.stopped();
  }

  #ruled(): readonly RuledPool[] {
    return this.#options.pools.all().filter(hasRules);
  }

  async #run(): Promise<void> {
    const { clock, core, lead, log } = this.#options;
    for (let pools = this.#ruled(); pools.length > 0 && !this.#signal.aborted && lead.holds(); pools = this.#ruled()) {
      // Before everything has told what it runs, all would look idle.
      if (core.fleet.isKnown)
        try {
          await this.#lookAt(pools);
        } catch (error) {
          if (!this.#signal.aborted) log.warn("rules of pools not followed; they are in a moment", errorFields(error));
        }
      this.#since.endLook();
      for (const key of this.#standings.keys())
        if (!pools.some(({ space, name }) => key === `${space}/${name}`)) this.#standings.delete(key);
      await pause(clock, lookEveryMs, this.#signal);
    }
    this.#standings.clear();
    this.#running = null;
  }

  /** All pools at once, since several may grow for the same instances. */
  async #lookAt(pools: readonly RuledPool[]): Promise<void> {
    const { store, steadyNowMs, log } = this.#options;
    const nowMs = steadyNowMs();
    const shortages = shortagesOf(this.#facts, pools, this.#since, nowMs);
    const factsOf = (pool: RuledPool) =>
      poolFacts(this.#facts, pool, readPoolSize(store, pool.space, pool.name)?.value ?? null, this.#since, nowMs);
    const inputs = pools.map(factsOf);
    const plans = planPools(inputs, shortages);
    for (const [i, pool] of pools.entries()) {
      const [input, plan] = [inputs[i], plans.get(pool.name)];
      if (input === undefined || plan === undefined) continue;
      try {
        const waiting = shortages.filter((one) => one.pools.has(pool.name));
        await this.#follow(pool, input, plan);
        // What is said of the machines is how it is after what was done.
        const after = plan.actions.length === 0 ? input : factsOf(pool);
        this.#note(pool, after, plan, sightsOf(after, waiting), new Set(waiting.map(({ app }) => app)));
      } catch (error) {
        if (!this.#signal.aborted)
          log.warn("rules of a pool not followed; they are in a moment", { pool: pool.name, ...errorFields(error) });
      }
    }
  }

  async #follow(pool: RuledPool, { heldBy, nowMs }: PoolInput, plan: PoolPlan): Promise<void> {
    for (const action of plan.actions) await this.#act(pool, action, nowMs);
    await this.#tend(pool, heldBy !== null, nowMs);
  }

  #note(pool: RuledPool, input: PoolInput, { why, need }: PoolPlan, sights: PoolSights, short: ReadonlySet<AppName>): void {
    const { store, events } = this.#options;
    const { space, name } = pool;
    const before = this.standingOf(space, name);
    const isStuck = (machine: PoolInput["machines"][number]) =>
      machine.state !== "kept" && (machine.trouble !== null || (machine.state === "coming" && !isOnItsWay(machine, input.nowMs)));
    const stuck = input.machines.filter(isStuck).map((machine) => `${machine.name} ${sights.machines.get(machine.name)}`);
    const machines = sizedMachines(pool, readPoolSize(store, space, name)?.value ?? null);
    this.#standings.set(`${space}/${name}`, { why, need, stuck, sights, short, machines });
    // Its words change with the time that is waited; what is needed is told once.
    if (need !== null && before?.need == null) events.append({ space, subject: name, kind: "pool.short", message: need.words });
  }

  async #act(pool: RuledPool, action: PoolAction, nowMs: number): Promise<void> {
    const { events } = this.#options;
    const tell = (what: string) =>
      events.append({ space: pool.space, subject: pool.name, kind: "pool.sized", message: `pool ${pool.name}: ${what}: ${action.reason}` });
    switch (action.kind) {
      case "add":
        await this.#change(
          pool,
          nowMs,
          (machines) => [
            ...machines.filter(({ name }) => !action.machines.includes(name)),
            ...action.machines.map((name) => ({ name, state: "coming" as const, sinceMs: nowMs })),
          ],
          action.machines.length,
        );
        tell(`${action.machines.join(", ")} ${action.machines.length === 1 ? "is" : "are"} added`);
        return;
      case "leave":
        // What leaves is drained by `#tend`.
        await this.#change(pool, nowMs, moved(action.machine, "leaving", nowMs), 0);
        tell(`${action.machine} leaves`);
        return;
      case "stay":
        // Cut short after this it leaves still, and is drained again; the other way round it would be kept and take nothing.
        await setStanding(this.#options.store, action.machine, { draining: false }, events);
        await this.#change(pool, nowMs, moved(action.machine, "kept", nowMs), 0);
        tell(`${action.machine} stays after all`);
        return;
      default:
        action satisfies never;
    }
  }

  /** Goes on with what comes and what leaves. @param isHeld nothing begins to go: somebody else is at work on the pool */
  async #tend(pool: RuledPool, isHeld: boolean, nowMs: number): Promise<void> {
    const { store, pools } = this.#options;
    const view = pools.view(pool.space, pool.name);
    if (view === null || view.problem !== null) return;
    for (const machine of sizedMachines(pool, readPoolSize(store, pool.space, pool.name)?.value ?? null)) {
      const { name, state } = machine;
      if (this.#calls.isRunning(name)) continue;
      const known = view.machines.get(name);
      if (state === "coming") await this.#receive(pool, machine, known, nowMs);
      else if (state === "going" || (state === "leaving" && !isHeld)) await this.#dismiss(pool, machine, known, nowMs);
    }
  }

  async #receive(pool: RuledPool, { name, sinceMs }: SizedMachine, known: ProvidedMachine | undefined, nowMs: number): Promise<void> {
    const { store, pools, core, joins, events } = this.#options;
    const isLinked = core.fleet.machines().some(({ id, peer }) => id === name && peer !== null);
    if (known?.power === "on" && (isLinked || !joins)) {
      this.#calls.settled(name);
      await setStanding(store, name, { draining: false }, events);
      await this.#change(pool, nowMs, moved(name, "kept", nowMs), 0);
    } else if (isTold(known) && known?.power !== "on") {
      const canSwitch = pools.provider(pool.space, pool.name).provider.can.power;
      this.#calls.begin(pool, { machine: name, sinceMs, verb: known?.power === "off" && canSwitch ? "on" : "create" });
    }
  }

  async #dismiss(
    pool: RuledPool,
    { name, state, sinceMs }: SizedMachine,
    known: ProvidedMachine | undefined,
    nowMs: number,
  ): Promise<void> {
    const { store, pools, core, events, forgetMember } = this.#options;
    const canSwitch = pools.provider(pool.space, pool.name).provider.can.power;
    if (known === undefined || (known.power === "off" && canSwitch)) {
      // Here and not after the call, which a server that ends meanwhile does not see the end of.
      if (!canSwitch) {
        await forgetMember(name);
        await setStanding(store, name, { draining: false }, events);
      }
      await this.#change(pool, nowMs, (all) => all.filter((one) => one.name !== name), 0);
    } else if (!standingOf(store, name).draining) {
      await setStanding(store, name, { draining: true }, events);
    } else if (isTold(known) && runsNothing(core, name) && keptBy(this.#facts, name) === null) {
      // From here on it cannot stay any more, whoever goes on with it.
      if (state === "leaving") await this.#change(pool, nowMs, moved(name, "going", sinceMs), 0);
      this.#calls.begin(pool, { machine: name, sinceMs, verb: canSwitch ? "off" : "destroy" });
    }
  }

  async #change(
    { space, name, rules, ...pool }: RuledPool,
    nowMs: number,
    change: (machines: readonly SizedMachine[]) => readonly SizedMachine[],
    added: number,
  ): Promise<void> {
    const { store, lead } = this.#options;
    const key = poolSizeKeys.pool(space, name);
    await transact(store, null, () => {
      const stored = readPoolSize(store, space, name);
      const recent = (stored?.value.addedAtMs ?? []).filter((atMs) => nowMs - atMs < hourMs);
      const next: PoolSize = {
        machines: change(sizedMachines({ space, name, rules, ...pool }, stored?.value ?? null)),
        addedAtMs: [...recent, ...Array.from({ length: added }, () => nowMs)],
        changedAtMs: nowMs,
      };
      return { answer: {}, conditions: [lead.condition, unchanged(key, stored)], changes: [put(key, next)] };
    });
  }
}

/** Whether its provider can be told something about it now: not while it is on its way, nor when nobody can even say how it is. */
function isTold(machine: ProvidedMachine | undefined): boolean {
  return machine?.power !== "changing" && machine?.problem === undefined;
}

function hasRules(pool: Pool): pool is RuledPool {
  return pool.rules !== null;
}

function moved(
  machine: MachineId,
  state: SizedMachine["state"],
  nowMs: number,
): (machines: readonly SizedMachine[]) => readonly SizedMachine[] {
  return (machines) => machines.map((one) => (one.name === machine ? { name: machine, state, sinceMs: nowMs } : one));
}
