import type { Readable } from "node:stream";
import type { Clock } from "#model/clock.ts";
import { type BudgetRule, IntakeBudget } from "./intake-budget.ts";

/** How long an app that prints too fast to even be read waits: as long as it takes to earn half of its allowance back. */
const pauseMs = 500;
/** What is taken from one source before others get a turn: about a millisecond's work. */
const turnBytes = 256 * 1024;

export interface ReadOptions {
  readonly source: Readable;
  readonly rule: BudgetRule;
  readonly clock: Clock;
  /** Takes a chunk; a promise asks to wait for it before more is read. */
  readonly take: (chunk: Buffer) => Promise<void> | null;
}

/** Reads `source` at no more than the rule's rate: past it the app feels back-pressure. Resolves when the source has ended. */
export async function readAtRate({ source, rule, clock, take }: ReadOptions, signal: AbortSignal): Promise<void> {
  const budget = new IntakeBudget(rule, clock.monotonicMs());
  const ended = Promise.withResolvers<void>();
  let bytesOfTurn = 0;
  const resume = () => {
    bytesOfTurn = 0;
    if (!signal.aborted) source.resume();
  };
  const onData = (chunk: Buffer) => {
    const pressure = take(chunk);
    bytesOfTurn += chunk.length;
    const wait = budget.take(chunk.length, clock.monotonicMs()) ? pressure : clock.sleep(pauseMs, signal);
    if (wait === null && bytesOfTurn < turnBytes) return;
    source.pause();
    if (wait === null) setImmediate(resume);
    else wait.then(resume, () => ended.resolve());
  };
  const finish = () => ended.resolve();
  source.on("data", onData);
  for (const event of ["end", "close", "error"] as const) source.once(event, finish);
  signal.addEventListener("abort", finish, { once: true });
  if (source.destroyed || source.readableEnded || signal.aborted) finish();
  try {
    await ended.promise;
  } finally {
    source.off("data", onData);
    for (const event of ["end", "close", "error"] as const) source.off(event, finish);
    signal.removeEventListener("abort", finish);
    // What was taken out of the pipe already would be lost with this object.
    source.pause();
    for (let chunk: Buffer | null = source.read(); chunk !== null; chunk = source.read()) take(chunk);
    source.on("error", ignoreLateError);
  }
}

/** A pipe that fails after it was let go of says nothing that is not known: its end was the news. */
function ignoreLateError(): void {}
