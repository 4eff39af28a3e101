import { Worker } from "node:worker_threads";
import { FairQueue } from "#host/fair-queue.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import { byChecks } from "#model/log-event.ts";
import { untilAborted } from "#model/until-aborted.ts";
import type { ScanAnswers, ScanJob, ScanQuestion, ScanReply } from "./jobs.ts";

/** The thread takes some 15 MB: it is there while people search, and a little longer because they search again. */
const restMs = 30_000;
/** Questions of one caller that wait, and of all people together: each may take seconds, and who comes later would wait longer than anybody does. */
const [mostWaitingOfOne, mostWaitingOfPeople] = [32, 64];
/** Far above what the largest answer takes; a search must not take the memory of the apps. */
const mostMemoryMb = 256;

/** Has questions answered one after another by a thread of their own: those of checks first, then those of each caller in turn. */
export class Searcher {
  readonly #clock: Clock;
  #thread: Worker | null = null;
  readonly #queue: FairQueue;
  #resting: AbortController | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#queue = new FairQueue({
      slots: 1,
      mostWaiting: mostWaitingOfOne,
      mostWaitingOfAll: mostWaitingOfPeople,
      goesFirst: (by) => by === byChecks,
      refuse: () =>
        new DroverError("OVERLOADED", "too many searches of logs wait on the machine already", { hint: "Try again in some seconds." }),
    });
  }

  /** @throws {DroverError} OVERLOADED; the signal's reason when it aborts: what has begun then ends unheard, within its bound */
  async answer<K extends keyof ScanAnswers>(
    job: ScanJob & { readonly ask: Extract<ScanQuestion, { kind: K }> },
    signal: AbortSignal,
  ): Promise<ScanAnswers[K]> {
    const answering = this.#inTurn(job, signal);
    // Whoever leaves is not kept waiting by what has begun.
    return (await untilAborted(answering, signal)) as ScanAnswers[K];
  }

  async #inTurn(job: ScanJob, signal: AbortSignal): Promise<unknown> {
    const slot = await this.#queue.acquire(job.by, signal);
    try {
      return await this.#ask(job);
    } finally {
      this.#queue.release(slot);
      if (this.#queue.isIdle) this.#restLater();
    }
  }

  async close(): Promise<void> {
    this.#resting?.abort();
    const thread = this.#thread;
    this.#thread = null;
    await thread?.terminate();
  }

  #ask(job: ScanJob): Promise<unknown> {
    this.#resting?.abort();
    const thread = (this.#thread ??= this.#start());
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => {
        thread.off("message", onReply);
        thread.off("error", onError);
        thread.off("exit", onExit);
        finish();
      };
      const onReply = (reply: ScanReply) =>
        settle(() => ("answer" in reply ? resolve(reply.answer) : reject(new Error(`a search failed: ${reply.failure}`))));
      const onError = (error: Error) => settle(() => reject(error));
      const onExit = () => settle(() => reject(new Error("the thread that searches logs ended")));
      thread.on("message", onReply);
      thread.on("error", onError);
      thread.on("exit", onExit);
      thread.postMessage(job);
    });
  }

  #start(): Worker {
    const thread = new Worker(new URL("./scan-thread.ts", import.meta.url), { resourceLimits: { maxOldGenerationSizeMb: mostMemoryMb } });
    thread.unref();
    const forget = () => {
      if (this.#thread === thread) this.#thread = null;
    };
    // Whoever asks hears of it, too; the next question starts another thread.
    thread.on("error", forget);
    thread.on("exit", forget);
    return thread;
  }

  #restLater(): void {
    // One who gave up before it was asked has left the timer of before running: it would end the thread amid a later question.
    this.#resting?.abort();
    const resting = new AbortController();
    this.#resting = resting;
    this.#clock.sleep(restMs, resting.signal).then(
      () => this.close(),
      () => {}, // Somebody asked again.
    );
  }
}
