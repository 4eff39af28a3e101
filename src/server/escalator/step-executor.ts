import { failpoint } from "#host/failpoint.ts";
import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { StepEnd } from "#model/ladder.ts";
import type { Log } from "#model/log.ts";
import type { SpaceName, StepId } from "#model/names.ts";
import type { StepOrder } from "#plan/ladder/input.ts";
import { finishStep } from "#plan/ladder/record.ts";
import { ladderKeys, ladderObjects } from "../objects/ladder-objects.ts";
import { put, unchanged } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";
import type { Leadership } from "./leadership.ts";

/** Wait before an end that could not be written is written again. */
const writeAgainMs = 1_000;
/** A killed action that does not end within this is recorded as ended: it is cut off from everything, and its target must not stay busy. */
const killedWithinMs = 30_000;

/** What carrying out an action came to. */
export type ActionEnd = Omit<StepEnd, "atMs">;

/**
 * Carries one step out. Called again for the same step after a crash, it finds what it did before and goes on from there.
 * @param signal aborts with a `StepKilled` when the step is to end, with everything that it started; with anything else when the server stops: then
 * what runs is left to the next one
 */
export type RunAction = (space: SpaceName, step: StepOrder, signal: AbortSignal) => Promise<ActionEnd>;

export interface StepExecutorOptions {
  readonly store: Store;
  readonly lead: Leadership;
  readonly run: RunAction;
  /** Called once the end is written: what was kept so that a step runs once can go. */
  readonly forget: (space: SpaceName, step: StepId) => Promise<void>;
  readonly clock: Clock;
  readonly steadyNowMs: () => number;
  readonly log: Log;
}

/** Why a step's signal aborted when the step itself is to end, and not the server. */
export class StepKilled extends Error {
  override readonly name = "StepKilled";
}

interface Running {
  readonly order: StepOrder;
  readonly kill: AbortController;
  result: "timed-out" | "killed" | null;
  readonly ended: Promise<void>;
}

/** Runs the steps that the planner ordered, and writes how each of them ended. */
export class StepExecutor {
  readonly #options: StepExecutorOptions;
  readonly #signal: AbortSignal;
  readonly #running = new Map<string, Running>();

  constructor(options: StepExecutorOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** Does nothing if the step already runs in this process. */
  start(space: SpaceName, order: StepOrder): void {
    const key = `${space} ${order.id}`;
    if (this.#running.has(key) || this.#signal.aborted) return;
    const kill = new AbortController();
    const running: Running = { order, kill, result: null, ended: Promise.resolve().then(() => this.#carryOut(space, order, key)) };
    this.#running.set(key, running);
  }

  kill(space: SpaceName, step: StepId, result: "timed-out" | "killed", order: StepOrder): void {
    const key = `${space} ${step}`;
    // One that this server never started: it is started as already killed, so that what an earlier server left of it is ended too.
    if (!this.#running.has(key)) this.start(space, order);
    const running = this.#running.get(key);
    if (running === undefined || running.result !== null) return;
    running.result = result;
    running.kill.abort(new StepKilled(`the step is ${result}`));
  }

  async stopped(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  async #carryOut(space: SpaceName, order: StepOrder, key: string): Promise<void> {
    const running = this.#running.get(key);
    if (running === undefined) return;
    try {
      const end = await this.#act(space, running);
      // The server stops: the next one finds the step as it is.
      if (this.#signal.aborted) return;
      await this.#finish(space, order, { ...end, atMs: this.#options.steadyNowMs() });
    } catch (error) {
      if (!this.#signal.aborted) this.#options.log.error("step broke off", { space, step: order.id, ...errorFields(error) });
    } finally {
      this.#running.delete(key);
    }
  }

  async #act(space: SpaceName, running: Running): Promise<ActionEnd> {
    const { run, clock } = this.#options;
    const over = new AbortController();
    const signal = AbortSignal.any([this.#signal, running.kill.signal]);
    const ended = run(space, running.order, signal).then(
      (end): ActionEnd => end,
      (error: unknown): ActionEnd => ({ result: "failed", exitCode: null, output: wordsOf(error) }),
    );
    const givenUp = (async (): Promise<ActionEnd> => {
      await new Promise((resolve) => AbortSignal.any([signal, over.signal]).addEventListener("abort", resolve, { once: true }));
      await pause(clock, killedWithinMs, AbortSignal.any([over.signal, this.#signal]));
      return { result: "killed", exitCode: null, output: "it did not end when it was told to" };
    })();
    const end = await Promise.race([ended, givenUp]);
    over.abort();
    return running.result === null ? end : { ...end, result: running.result };
  }

  async #finish(space: SpaceName, order: StepOrder, end: StepEnd): Promise<void> {
    const { store, lead, clock, log, forget } = this.#options;
    while (!this.#signal.aborted && lead.holds()) {
      const stored = ladderObjects.escalation(store, space, order.escalation);
      const next = stored === null ? null : finishStep(stored.value, order.id, order.term, end);
      if (stored === null || next === null) break;
      try {
        failpoint("step.end.before");
        await store.commit({
          conditions: [unchanged(stored.key, stored), lead.condition],
          changes: [put(ladderKeys.escalation(space, order.escalation), next)],
        });
        failpoint("step.end.after");
        break;
      } catch (error) {
        if (error instanceof DroverError && error.code === "CONFLICT") continue;
        log.error("a step's end cannot be written; it is tried again", { space, step: order.id, ...errorFields(error) });
        await pause(clock, writeAgainMs, this.#signal);
      }
    }
    if (!this.#signal.aborted) await forget(space, order.id);
  }
}

function wordsOf(error: unknown): string {
  if (error instanceof DroverError) return `${error.message}   [${error.code}]`;
  return error instanceof Error ? error.message : String(error);
}
