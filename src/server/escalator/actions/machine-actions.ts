import { type Clock, pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { BuiltInAction } from "#model/ladder.ts";
import type { MachineId, PoolName, SpaceName, StepId } from "#model/names.ts";
import { machinesOf, type Pool, type ProvidedMachine } from "#model/pool.ts";
import type { StepOrder } from "#plan/ladder/input.ts";
import { ladderKeys, ladderObjects, type MadeMachine } from "../../objects/ladder-objects.ts";
import { put } from "../../objects/objects.ts";
import type { PoolWatch } from "../../pools/pool-watch.ts";
import type { Provider, ProviderEnd } from "../../pools/provider.ts";
import { powerWords, untilPower } from "../../pools/until-power.ts";
import type { Store } from "../../store/store.ts";
import type { Leadership } from "../leadership.ts";
import type { ActionEnd } from "../step-executor.ts";

export type MachineAction = Extract<BuiltInAction, `machine.${string}`>;

export interface MachineActionsOptions {
  readonly store: Store;
  readonly lead: Leadership;
  readonly pools: PoolWatch;
  /** Makes a machine a stranger, if it is a member: its certificate is worth nothing then, and what it ran counts as gone. */
  readonly forgetMember: (machine: MachineId) => Promise<void>;
  readonly clock: Clock;
}

/** Machines of one pool that are made at once: providers have limits, and a bad image is found out by the first few. */
const madeAtOnce = 5;
/** Wait while no agent is linked that could ask. */
const noAgentMs = 500;

/** A step that found out early how it ends. */
class Ended extends Error {
  readonly end: ActionEnd;

  constructor(end: ActionEnd) {
    super(end.output);
    this.end = end;
  }
}

/** One step that acts on machines of one pool. Repeated after a crash, it finds what it did: each call has a name of its own under the step's. */
class Work {
  readonly pool: Pool;
  readonly provider: Provider;
  readonly #options: MachineActionsOptions;
  readonly #step: StepOrder;
  readonly #signal: AbortSignal;

  constructor(options: MachineActionsOptions, space: SpaceName, pool: PoolName, step: StepOrder, signal: AbortSignal) {
    const found = options.pools.provider(space, pool);
    this.pool = found.pool;
    this.provider = found.provider;
    this.#options = options;
    this.#step = step;
    this.#signal = signal;
  }

  async list(): Promise<ReadonlyMap<MachineId, ProvidedMachine>> {
    const { pools, clock } = this.#options;
    for (;;) {
      try {
        const machines = await pools.look(this.pool.space, this.pool.name, this.#signal);
        return new Map(machines.map((machine) => [machine.name, machine]));
      } catch (error) {
        // A server that has just started has no agent yet, which says nothing of the machines. The step's own time bounds it.
        if (!(error instanceof DroverError && error.code === "CLUSTER_UNREACHABLE")) throw error;
        await pause(clock, noAgentMs, this.#signal);
        this.#signal.throwIfAborted();
      }
    }
  }

  /** Makes a machine. That this run makes it is written down first, so that no lighter level of it makes it again, whatever dies meanwhile. */
  async create(machine: MachineId): Promise<ActionEnd> {
    const { store, lead } = this.#options;
    const { escalation, level } = this.#step;
    const key = ladderKeys.made(this.pool.space, escalation, machine);
    if (store.get(key) === null) await store.commit({ conditions: [lead.condition], changes: [put(key, { level } satisfies MadeMachine)] });
    return this.#call("create", machine);
  }

  /** Takes a machine away, and forgets it as a member. Once in a step: taken up after a crash, it would forget the one that was made since. */
  async destroy(machine: MachineId): Promise<void> {
    const { store, lead, forgetMember } = this.#options;
    const key = ladderKeys.step(this.pool.space, `${this.#step.id}/destroyed` as StepId);
    if (store.get(key) !== null) return;
    await this.#call("destroy", machine);
    await forgetMember(machine);
    await store.commit({ conditions: [lead.condition], changes: [put(key, {})] });
  }

  converge(machine: MachineId): Promise<ActionEnd> {
    return this.#call("converge", machine);
  }

  power(machine: MachineId, to: "on" | "off"): Promise<ActionEnd> {
    return this.#call(to, machine);
  }

  /** @throws {Ended} unless it ended well */
  async #call(verb: "create" | "destroy" | "converge" | "on" | "off", machine: MachineId): Promise<ActionEnd> {
    const call = { machine, key: this.#step.id, timeoutMs: this.#step.timeoutMs };
    const end =
      verb === "on" || verb === "off"
        ? await this.provider.power({ ...call, to: verb }, this.#signal)
        : await this.provider[verb](call, this.#signal);
    if (end.result !== "ok") throw new Ended(failedCall(verb, machine, end));
    return end;
  }

  /** Until the provider says that it is on; the step's own time bounds it. */
  async untilOn(machine: MachineId, what: string): Promise<void> {
    const list = async () => [...(await this.list()).values()];
    const found = await untilPower(list, machine, (power) => power === "on", this.#options.clock, this.#signal);
    if (found?.power !== "on") throw new Ended(failed(`${what}, but its provider says that it is ${powerWords(found)}`));
  }
}

/** Makes the machines of a pool that are not there, and switches on those that are off. What is there and on is left alone. */
export function makePool(
  options: MachineActionsOptions,
  space: SpaceName,
  pool: PoolName,
  step: StepOrder,
  signal: AbortSignal,
): Promise<ActionEnd> {
  return ended(async () => {
    const work = new Work(options, space, pool, step, signal);
    const known = await work.list();
    const waiting = machinesOf(work.pool).filter((name) => known.get(name)?.power !== "on");
    const made: MachineId[] = [];
    const failures: string[] = [];
    const makeNext = async () => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        try {
          await bringUp(work, name, known.get(name));
          made.push(name);
        } catch (error) {
          if (!(error instanceof Ended)) throw error;
          failures.push(error.message);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(madeAtOnce, waiting.length) }, makeNext));
    made.sort();
    if (failures.length > 0) return failed(failures.join("\n"));
    const words = made.length === 0 ? `all ${work.pool.machines} machines of ${pool} are there` : `made ${made.join(", ")}`;
    return { result: "ok", exitCode: null, output: words };
  });
}

/** The machines of every pool of a space; null when it has no pools. */
export async function createPools(
  options: MachineActionsOptions,
  space: SpaceName,
  step: StepOrder,
  signal: AbortSignal,
): Promise<ActionEnd | null> {
  const pools = options.pools.pools(space);
  if (pools.length === 0) return null;
  const ends = await Promise.all(pools.map(({ name }) => makePool(options, space, name, step, signal)));
  const bad = ends.filter(({ result }) => result !== "ok");
  return {
    result: bad[0]?.result ?? "ok",
    exitCode: null,
    output: (bad.length > 0 ? bad : ends).map(({ output }) => output).join("\n"),
  };
}

/** Carries an action out on one machine of a pool, and waits until its provider says that it is on. */
export function actOnMachine(
  options: MachineActionsOptions,
  space: SpaceName,
  machine: MachineId,
  action: MachineAction,
  step: StepOrder,
  signal: AbortSignal,
): Promise<ActionEnd> {
  return ended(async () => {
    const pool = options.pools.pools(space).find((one) => machinesOf(one).includes(machine));
    if (pool === undefined)
      throw new DroverError("POOL_NOT_FOUND", `machine "${machine}" is in no pool of space "${space}"`, {
        hint: "Only machines of a pool have a provider that can act on them.",
      });
    const work = new Work(options, space, pool.name, step, signal);
    const maker = makerOf(options.store, space, machine, step);
    switch (action) {
      case "machine.replace":
        return (await asNew(work, machine, maker)) ?? replace(work, machine);
      case "machine.converge":
        return converge(work, machine);
      case "machine.power-cycle":
        return (await asNew(work, machine, maker)) ?? powerCycle(work, machine);
      default:
        return action satisfies never;
    }
  });
}

/** The end of a step that has nothing to do, since a heavier level of its run has just made the machine; null if none has, or if it is not on. */
async function asNew(work: Work, machine: MachineId, maker: string | null): Promise<ActionEnd | null> {
  if (maker === null || (await work.list()).get(machine)?.power !== "on") return null;
  return { result: "ok", exitCode: null, output: `${machine} is as new: level "${maker}" of this run made it` };
}

async function replace(work: Work, machine: MachineId): Promise<ActionEnd> {
  await work.destroy(machine);
  const { output } = await work.create(machine);
  await work.untilOn(machine, `${machine} was made anew`);
  return { result: "ok", exitCode: null, output: words(`${machine} was made anew`, output) };
}

async function converge(work: Work, machine: MachineId): Promise<ActionEnd> {
  await bringUp(work, machine, (await work.list()).get(machine));
  const { output } = await work.converge(machine);
  return { result: "ok", exitCode: null, output: words(`${machine} was converged`, output) };
}

async function powerCycle(work: Work, machine: MachineId): Promise<ActionEnd> {
  await work.power(machine, "off");
  const { output } = await work.power(machine, "on");
  await work.untilOn(machine, `${machine} was switched off and on`);
  return { result: "ok", exitCode: null, output: words(`${machine} was switched off and on`, output) };
}

/** Makes it if it is not there, and switches it on if it is off and can be. */
async function bringUp(work: Work, machine: MachineId, known: ProvidedMachine | undefined): Promise<void> {
  if (known?.power === "on") return;
  const isSwitched = known?.power === "off" && work.provider.can.power;
  if (isSwitched) await work.power(machine, "on");
  // Where nothing can be switched on, making what is off means to make it well, or another in its place.
  else if (known?.power !== "changing") await work.create(machine);
  await work.untilOn(machine, isSwitched ? `${machine} was switched on` : `${machine} was made`);
}

/** The heavier level of this run that made the machine; null if none did, or if this level tried its hand at it since. */
function makerOf(store: Store, space: SpaceName, machine: MachineId, { escalation, level, target, id }: StepOrder): string | null {
  const made = ladderObjects.made(store, space, escalation, machine)?.value.level ?? null;
  const steps = ladderObjects.escalation(store, space, escalation)?.value.steps ?? [];
  const hasTried = steps.some((step) => step.id !== id && step.level === level && step.target === target);
  return made === level || hasTried ? null : made;
}

async function ended(work: () => Promise<ActionEnd>): Promise<ActionEnd> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Ended) return error.end;
    throw error;
  }
}

function failed(output: string): ActionEnd {
  return { result: "failed", exitCode: null, output };
}

function failedCall(verb: string, machine: MachineId, { result, exitCode, output }: ProviderEnd): ActionEnd {
  const how = result === "timed-out" ? "took too long" : result === "killed" ? "was ended" : "failed";
  return { result, exitCode, output: words(`${verb} of ${machine} ${how}`, output) };
}

function words(first: string, more: string): string {
  return more.trim() === "" ? first : `${first}\n${more}`;
}
