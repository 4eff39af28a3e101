import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { MachineId, PoolName, SpaceName } from "#model/names.ts";
import type { Pool, ProvidedMachine } from "#model/pool.ts";
import { untilAborted } from "#model/until-aborted.ts";
import type { Provider } from "./provider.ts";

/** How exact the schedule is; finer would wake the loop more often than intervals of seconds need. */
const tickMs = 100;
/** Wait while no agent is linked that could ask. */
const noAgentMs = 300;
/** Lists under way at once: each is a process at an agent. */
const listsAtOnce = 8;

/** What a pool's provider said last. */
export interface PoolView {
  readonly machines: ReadonlyMap<MachineId, ProvidedMachine>;
  /** When it said that, in epoch milliseconds. */
  readonly atMs: number;
  /** Why nothing newer is known; null while the provider answers. */
  readonly problem: DroverError | null;
}

export interface PoolWatchOptions {
  readonly pools: () => readonly Pool[];
  readonly providerOf: (pool: Pool) => Provider;
  readonly clock: Clock;
  readonly steadyNowMs: () => number;
  readonly log: Log;
  /** Other machines are there than before, or the provider began or ceased to answer. */
  readonly onChange: (space: SpaceName) => void;
}

interface Watched {
  pool: Pool;
  provider: Provider;
  view: PoolView | null;
  dueAtMs: number;
  underWay: Promise<readonly ProvidedMachine[]> | null;
}

/**
 * Knows which machines there are, because it asks their providers again and again. Nothing of it is stored: a server that starts asks anew, and until a
 * provider has answered nothing is said of its machines.
 */
export class PoolWatch {
  readonly #options: PoolWatchOptions;
  readonly #signal: AbortSignal;
  readonly #watched = new Map<string, Watched>();
  /** All that are under way, also those of pools that are gone by now. */
  readonly #lists = new Set<Promise<unknown>>();
  #running: Promise<void> | null = null;

  constructor(options: PoolWatchOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** Takes the pools as they are declared now. */
  update(): void {
    const { pools, providerOf, clock } = this.#options;
    const declared = new Map(pools().map((pool) => [keyOf(pool.space, pool.name), pool]));
    for (const key of this.#watched.keys()) if (!declared.has(key)) this.#watched.delete(key);
    for (const [key, pool] of declared) {
      const known = this.#watched.get(key);
      if (known?.pool === pool) continue;
      const fresh = { pool, provider: providerOf(pool), dueAtMs: clock.monotonicMs() };
      if (known === undefined) this.#watched.set(key, { ...fresh, view: null, underWay: null });
      else Object.assign(known, fresh);
    }
    if (this.#watched.size > 0 && !this.#signal.aborted) this.#running ??= this.#run();
  }

  /** Null before the provider has answered for the first time, and failed at it for the first time. */
  view(space: SpaceName, pool: PoolName): PoolView | null {
    return this.#watched.get(keyOf(space, pool))?.view ?? null;
  }

  all(): readonly Pool[] {
    return [...this.#watched.values()].map(({ pool }) => pool);
  }

  pools(space: SpaceName): readonly Pool[] {
    return [...this.#watched.values()].flatMap(({ pool }) => (pool.space === space ? [pool] : []));
  }

  /** @throws {DroverError} POOL_NOT_FOUND */
  provider(space: SpaceName, pool: PoolName): { readonly pool: Pool; readonly provider: Provider } {
    return this.#find(space, pool);
  }

  /** Asks the provider now. @throws {DroverError} POOL_NOT_FOUND, and what `Provider.list` throws */
  async look(space: SpaceName, pool: PoolName, signal: AbortSignal): Promise<readonly ProvidedMachine[]> {
    const watched = this.#find(space, pool);
    // What is under way may have begun before what the caller did: only its end is waited for, and who began it has its error.
    await untilAborted(Promise.allSettled([watched.underWay]), signal);
    return untilAborted(this.#list(watched), signal);
  }

  async stopped(): Promise<void> {
    await this.#running;
  }

  #find(space: SpaceName, pool: PoolName): Watched {
    const watched = this.#watched.get(keyOf(space, pool));
    if (watched !== undefined) return watched;
    throw new DroverError("POOL_NOT_FOUND", `space "${space}" has no pool "${pool}"`, { hint: "List them with `drover pool ls`." });
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#signal.aborted && this.#watched.size > 0) {
      const nowMs = clock.monotonicMs();
      for (const watched of this.#watched.values()) {
        if (this.#lists.size >= listsAtOnce) break;
        if (watched.dueAtMs <= nowMs && watched.underWay === null) void this.#listByItself(watched);
      }
      await pause(clock, tickMs, this.#signal);
    }
    this.#running = null;
    await Promise.allSettled(this.#lists);
  }

  async #listByItself(watched: Watched): Promise<void> {
    try {
      await this.#list(watched);
    } catch (error) {
      // What people should know of it is in the view, and was logged there once.
      this.#options.log.debug("a list of a pool came to nothing", { pool: watched.pool.name, ...errorFields(error) });
    }
  }

  /** One at a time for each pool: who asks while one is under way gets its answer. */
  #list(watched: Watched): Promise<readonly ProvidedMachine[]> {
    if (watched.underWay !== null) return watched.underWay;
    const list = this.#ask(watched).finally(() => {
      this.#lists.delete(list);
      watched.underWay = null;
      // Nothing was heard of it yet, because there was nobody to ask.
      const waitMs = watched.view === null ? noAgentMs : watched.pool.provider.everyMs;
      watched.dueAtMs = this.#options.clock.monotonicMs() + waitMs;
    });
    this.#lists.add(list);
    watched.underWay = list;
    return list;
  }

  async #ask(watched: Watched): Promise<readonly ProvidedMachine[]> {
    const { log, steadyNowMs } = this.#options;
    const { pool, provider } = watched;
    try {
      const known = watched.view?.machines;
      const machines = (await provider.list(this.#signal)).map((machine) => believed(machine, known?.get(machine.name)));
      for (const { name, problem } of machines)
        if (problem !== undefined && known?.get(name)?.problem?.message !== problem.message)
          log.warn("nobody says how a machine of a pool is", { space: pool.space, machine: name, ...errorFields(problem) });
      this.#show(watched, { machines: new Map(machines.map((machine) => [machine.name, machine])), atMs: steadyNowMs(), problem: null });
      return machines;
    } catch (error) {
      // Without an agent nobody could ask: that says nothing of the provider.
      const isUnasked = error instanceof DroverError && error.code === "CLUSTER_UNREACHABLE" && watched.view === null;
      if (this.#signal.aborted || isUnasked) throw error;
      const problem = error instanceof DroverError ? error : asProblem(error, pool);
      // Said once, and not at every interval.
      if (watched.view?.problem?.message !== problem.message)
        log.warn("provider of a pool does not answer", { space: pool.space, pool: pool.name, ...errorFields(error) });
      const { machines, atMs } = watched.view ?? { machines: new Map(), atMs: 0 };
      this.#show(watched, { machines, atMs, problem });
      throw problem;
    }
  }

  #show(watched: Watched, view: PoolView): void {
    const before = watched.view;
    watched.view = view;
    if (before === null || textOf(before) !== textOf(view)) this.#options.onChange(watched.pool.space);
  }
}

function asProblem(error: unknown, { name }: Pool): DroverError {
  return new DroverError("PROVIDER_FAILED", `the list of pool "${name}" broke off`, { cause: error });
}

function textOf({ machines, problem }: PoolView): string {
  const sorted = [...machines.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const words = sorted.map(({ problem: one, ...machine }) => [machine, one?.message ?? null]);
  return JSON.stringify([words, problem?.message ?? null]);
}

/** A machine of which nobody can say how it is, is as it was said to be last: silence proves nothing. */
function believed(machine: ProvidedMachine, before: ProvidedMachine | undefined): ProvidedMachine {
  return machine.power === "unknown" && before !== undefined ? { ...machine, power: before.power } : machine;
}

function keyOf(space: SpaceName, pool: PoolName): string {
  return `${space} ${pool}`;
}
