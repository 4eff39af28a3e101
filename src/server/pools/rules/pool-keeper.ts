import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { AppName, MachineId, PoolName, SpaceName } from "#model/names.ts";
import type { Pool } from "#model/pool.ts";
import { type PoolAction, type PoolPlan, planPool } from "#plan/pools/plan-pool.ts";
import type { Core } from "../../controllers/core.ts";
import type { Leadership } from "../../escalator/leadership.ts";
import type { EventLog } from "../../events/event-log.ts";
import { setStanding, standingOf } from "../../members/standings.ts";
import { put, unchanged } from "../../objects/objects.ts";
import { type PoolSize, poolSizeKeys, readPoolSize, type SizedMachine } from "../../objects/pool-size.ts";
import { transact } from "../../operations/transact.ts";
import type { Store } from "../../store/store.ts";
import type { PoolWatch } from "../pool-watch.ts";
import type { ProviderEnd } from "../provider.ts";
import { poolFacts, type RuledPool, Since, shortagesOf, sizedMachines } from "./pool-facts.ts";

export interface PoolKeeperOptions {
  readonly store: Store;
  readonly lead: Leadership;
  readonly core: Pick<Core, "fleet" | "apps">;
  readonly pools: PoolWatch;
  readonly events: EventLog;
  readonly forgetMember: (machine: MachineId) => Promise<void>;
  /** Forgets what was kept of a call so that it is done once. */
  readonly forgetCall: (space: SpaceName, key: string) => Promise<void>;
  /** Whether machines that are made join, so that one is there when its agent is. */
  readonly joins: boolean;
  readonly clock: Clock;
  readonly steadyNowMs: () => number;
  readonly log: Log;
}

/** What was decided about a pool at the last look. */
export interface PoolStanding {
  readonly why: string;
  /** What a person has to do; null: nothing. */
  readonly need: PoolPlan["need"];
  /** Apps of its space for whose instances it has no room. */
  readonly short: ReadonlySet<AppName>;
  readonly machines: readonly SizedMachine[];
}

/** Rules go by seconds and minutes. */
const lookEveryMs = 2_000;
/** Making or taking away one machine: what clouds and bare metal need, with a copy over a slow line. */
const callMs = 15 * 60_000;
/** Between a call that failed and the next for the same machine: a provider that is out of stock is so for minutes. */
const againMs = 60_000;
/** Calls of all pools at once; each may be a process at an agent. */
const callsAtOnce = 5;
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
  /** Calls under way, by machine. */
  readonly #calls = new Map<MachineId, Promise<void>>();
  readonly #nextTryMs = new Map<MachineId, number>();
  #running: Promise<void> | null = null;

  constructor(options: PoolKeeperOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
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
    await Promise.all(this.#calls.values());
  }

  #ruled(): readonly RuledPool[] {
    return this.#options.pools.all().filter(hasRules);
  }

  async #run(): Promise<void> {
    const { clock, core, lead, log } = this.#options;
    for (let pools = this.#ruled(); pools.length > 0 && !this.#signal.aborted && lead.holds(); pools = this.#ruled()) {
      // Before everything has told what it runs, all would look idle.
      if (core.fleet.isKnown)
        for (const pool of pools) {
          try {
            await this.#look(pool);
          } catch (error) {
            if (!this.#signal.aborted)
              log.warn("rules of a pool not followed; they are in a moment", { pool: pool.name, ...errorFields(error) });
          }
        }
      this.#since.endLook();
      for (const key of this.#standings.keys())
        if (!pools.some(({ space, name }) => key === `${space}/${name}`)) this.#standings.delete(key);
      await pause(clock, lookEveryMs, this.#signal);
    }
    this.#standings.clear();
    this.#running = null;
  }

  async #look(pool: RuledPool): Promise<void> {
    const { store, steadyNowMs, events } = this.#options;
    const { space, name } = pool;
    const nowMs = steadyNowMs();
    const size = readPoolSize(store, space, name)?.value ?? null;
    const shortages = shortagesOf(this.#options, pool, this.#since, nowMs);
    const facts = poolFacts(this.#options, pool, size, shortages, this.#since, nowMs);
    const plan = planPool(facts);
    const before = this.standingOf(space, name);
    for (const action of plan.actions) await this.#act(pool, action, nowMs);
    await this.#tend(pool, facts.heldBy !== null, nowMs);
    const machines = sizedMachines(pool, readPoolSize(store, space, name)?.value ?? null);
    this.#standings.set(`${space}/${name}`, { why: plan.why, need: plan.need, short: new Set(shortages.map(({ app }) => app)), machines });
    // Its words change with the time that is waited; what is needed is told once.
    if (plan.need !== null && before?.need == null) events.append({ space, subject: name, kind: "pool.short", message: plan.need.words });
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
          (machines) => [...machines, ...action.machines.map((name) => ({ name, state: "coming" as const, sinceMs: nowMs }))],
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

  /** Goes on with what comes and what leaves. @param isHeld nothing goes: somebody else is at work on the pool */
  async #tend(pool: RuledPool, isHeld: boolean, nowMs: number): Promise<void> {
    const { store, pools, core, joins, events } = this.#options;
    const view = pools.view(pool.space, pool.name);
    if (view === null || view.problem !== null) return;
    const { provider } = pools.provider(pool.space, pool.name);
    const machines = sizedMachines(pool, readPoolSize(store, pool.space, pool.name)?.value ?? null);
    for (const { name, state, sinceMs } of machines) {
      if (state === "kept" || this.#calls.has(name)) continue;
      const power = view.machines.get(name)?.power ?? null;
      const isLinked = core.fleet.machines().some(({ id, peer }) => id === name && peer !== null);
      if (state === "coming" && power === "on" && (isLinked || !joins)) {
        await setStanding(store, name, { draining: false }, events);
        await this.#change(pool, nowMs, moved(name, "kept", nowMs), 0);
      } else if (state === "coming" && power !== "on" && power !== "changing") {
        const verb = power === "off" && provider.can.power ? "on" : "create";
        this.#call(pool, { name, sinceMs, verb }, nowMs);
      } else if (state === "leaving" && !isHeld && !standingOf(store, name).draining) {
        await setStanding(store, name, { draining: true }, events);
      } else if (state === "leaving" && !isHeld && core.fleet.instancesOn(name) === 0) {
        const isGone = power === null || (power === "off" && provider.can.power);
        if (isGone) await this.#change(pool, nowMs, (all) => all.filter((one) => one.name !== name), 0);
        else if (power !== "changing") this.#call(pool, { name, sinceMs, verb: provider.can.power ? "off" : "destroy" }, nowMs);
      }
    }
  }

  #call(
    pool: RuledPool,
    what: { readonly name: MachineId; readonly sinceMs: number; readonly verb: "create" | "destroy" | "on" | "off" },
    nowMs: number,
  ): void {
    const { name } = what;
    if (this.#calls.size >= callsAtOnce || (this.#nextTryMs.get(name) ?? 0) > nowMs) return;
    const call = this.#carryOut(pool, what)
      .then((failure) => {
        this.#nextTryMs.delete(name);
        if (failure === null) return;
        this.#nextTryMs.set(name, this.#options.steadyNowMs() + againMs);
        this.#options.events.append({
          space: pool.space,
          subject: pool.name,
          kind: "pool.failed",
          message: `${what.verb} of ${name} failed and is tried again in a minute: ${failure}`,
        });
      })
      .catch((error: unknown) => {
        if (this.#signal.aborted) return;
        this.#nextTryMs.set(name, this.#options.steadyNowMs() + againMs);
        this.#options.log.error("a machine of a pool was not seen to", { machine: name, ...errorFields(error) });
      })
      .finally(() => this.#calls.delete(name));
    this.#calls.set(name, call);
  }

  /** @returns how it failed, in words; null: it did not */
  async #carryOut(
    { space, name: pool }: Pool,
    {
      name: machine,
      sinceMs,
      verb,
    }: { readonly name: MachineId; readonly sinceMs: number; readonly verb: "create" | "destroy" | "on" | "off" },
  ): Promise<string | null> {
    const { pools, forgetMember, forgetCall } = this.#options;
    const { provider } = pools.provider(space, pool);
    // The same after a crash, so that what it began is waited for and not begun again.
    const call = { machine, key: `pool/${machine}/${verb}/${sinceMs}`, timeoutMs: callMs };
    const end: ProviderEnd =
      verb === "on" || verb === "off"
        ? await provider.power({ ...call, to: verb }, this.#signal)
        : await provider[verb](call, this.#signal);
    if (end.result === "ok" && verb === "destroy") await forgetMember(machine);
    await pools.look(space, pool, this.#signal);
    await forgetCall(space, call.key);
    return end.result === "ok" ? null : end.output.trim() || end.result;
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
