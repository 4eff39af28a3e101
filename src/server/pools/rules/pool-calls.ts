import { errorFields } from "#host/log.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { MachineId, PoolName, SpaceName } from "#model/names.ts";
import type { Pool, ProvidedMachine } from "#model/pool.ts";
import type { EventSink } from "../../events/event-log.ts";
import { wordsOf } from "../end-of-call.ts";
import type { PoolWatch } from "../pool-watch.ts";
import type { ProviderEnd } from "../provider.ts";
import { powerWords, untilPower } from "../until-power.ts";

export interface PoolCallsOptions {
  readonly pools: PoolWatch;
  readonly events: EventSink;
  /** Forgets what was kept of a call so that it is done once. */
  readonly forgetCall: (space: SpaceName, key: string) => Promise<void>;
  readonly clock: Clock;
  readonly steadyNowMs: () => number;
  readonly log: Log;
}

export interface PoolCall {
  readonly machine: MachineId;
  readonly verb: "create" | "destroy" | "on" | "off";
  /** Since when the machine is to come or go: the same after a crash, so that what was begun is waited for and not begun again. */
  readonly sinceMs: number;
}

/** Making or taking away one machine: what clouds and bare metal need, with a copy over a slow line. */
const callMs = 15 * 60_000;
/** Between a call that failed and the next for the same machine, doubled each time: a provider that is out of stock is so for minutes or hours. */
const firstAgainMs = 60_000;
const longestAgainMs = 15 * 60_000;
/** Calls at once, each of which may be a process at an agent: of one pool, so that one that hangs leaves the others theirs, and of all. */
const callsAtOnce = { pool: 5, all: 20 };
/** For so long it is known that a machine could not be had: as long as additions are counted. */
const rememberedMs = 3_600_000;

interface Failure {
  readonly words: string;
  readonly times: number;
  readonly atMs: number;
}

/** What rules have their pools' providers do, in the background: one call for a machine at a time, and again less and less often where it fails. */
export class PoolCalls {
  readonly #options: PoolCallsOptions;
  readonly #signal: AbortSignal;
  readonly #running = new Map<MachineId, { readonly pool: string; readonly call: Promise<void> }>();
  readonly #failures = new Map<MachineId, Failure>();

  constructor(options: PoolCallsOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  isRunning(machine: MachineId): boolean {
    return this.#running.has(machine);
  }

  /** Why the last call for the machine came to nothing; null: it did not, or too long ago to count. */
  failureOf(machine: MachineId): string | null {
    return this.#failure(machine)?.words ?? null;
  }

  /** Names of machines that could not be had, or given back. */
  failed(): readonly MachineId[] {
    return [...this.#failures.keys()].filter((machine) => this.#failure(machine) !== null);
  }

  /** Begins it, unless one is under way, too many are, or the last has failed a moment ago. @returns whether it did */
  begin(pool: Pool, call: PoolCall): boolean {
    const { machine } = call;
    const failure = this.#failure(machine);
    const againMs = failure === null ? 0 : failure.atMs + waitMs(failure.times);
    const ofPool = [...this.#running.values()].filter((one) => one.pool === pool.name).length;
    if (this.#running.has(machine) || ofPool >= callsAtOnce.pool || this.#running.size >= callsAtOnce.all) return false;
    if (againMs > this.#options.steadyNowMs()) return false;
    const running = this.#run(pool, call).finally(() => this.#running.delete(machine));
    this.#running.set(machine, { pool: pool.name, call: running });
    return true;
  }

  /** It is as it should be: what failed before counts no more. */
  settled(machine: MachineId): void {
    this.#failures.delete(machine);
  }

  async stopped(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ call }) => call));
  }

  #failure(machine: MachineId): Failure | null {
    const failure = this.#failures.get(machine);
    if (failure === undefined) return null;
    if (this.#options.steadyNowMs() - failure.atMs < rememberedMs) return failure;
    this.#failures.delete(machine);
    return null;
  }

  #tell(space: SpaceName, pool: PoolName, kind: string, message: string): void {
    this.#options.events.append({ space, subject: pool, kind, message });
  }

  async #run(pool: Pool, call: PoolCall): Promise<void> {
    const { machine, verb } = call;
    const { steadyNowMs, log } = this.#options;
    const before = this.#failure(machine);
    const note = (words: string) => {
      const failure = { words, times: (before?.times ?? 0) + 1, atMs: steadyNowMs() };
      this.#failures.set(machine, failure);
      return failure;
    };
    try {
      const words = await this.#carryOut(pool, call).catch((error: unknown) => {
        if (this.#signal.aborted || !(error instanceof DroverError)) throw error;
        return wordsOf(error);
      });
      if (words === null) return this.settled(machine);
      const { times } = note(words);
      // Said once, and not at every attempt.
      if (before?.words === words) return;
      this.#tell(
        pool.space,
        pool.name,
        "pool.failed",
        `${verb} of ${machine} failed and is tried again in ${waitMs(times) / 60_000} min: ${words}`,
      );
    } catch (error) {
      if (this.#signal.aborted) return;
      note(`${verb} of it broke off`);
      log.error("a machine of a pool was not seen to", { machine, ...errorFields(error) });
    }
  }

  /** @returns how it failed, in words; null: it did not */
  async #carryOut({ space, name: pool }: Pool, { machine, sinceMs, verb }: PoolCall): Promise<string | null> {
    const { pools, forgetCall, clock } = this.#options;
    const { provider } = pools.provider(space, pool);
    const call = { machine, key: `pool/${machine}/${verb}/${sinceMs}`, timeoutMs: callMs };
    const end: ProviderEnd =
      verb === "on" || verb === "off"
        ? await provider.power({ ...call, to: verb }, this.#signal)
        : await provider[verb](call, this.#signal);
    // What it did is believed when the list shows it: what was made is there or on its way, what was taken away is not.
    const isDone = (power: ProvidedMachine["power"] | undefined) =>
      power === "changing" ||
      (verb === "create" || verb === "on" ? power === "on" : power === undefined || (verb === "off" && power === "off"));
    const list = () => pools.look(space, pool, this.#signal);
    const found = end.result === "ok" ? await untilPower(list, machine, isDone, clock, this.#signal) : undefined;
    await forgetCall(space, call.key);
    const words = end.output.trim();
    if (end.result !== "ok") return words || end.result;
    // Such as which hosts were tried before the one that it is.
    if (words !== "") this.#tell(space, pool, "pool.acted", `${verb} of ${machine}: ${words.replaceAll("\n", "; ")}`);
    return isDone(found?.power) ? null : `it ended well, but the machine is ${powerWords(found)}`;
  }
}

function waitMs(times: number): number {
  return Math.min(longestAgainMs, firstAgainMs * 2 ** (times - 1));
}
