import type { Readable } from "node:stream";
import type { Clock } from "#model/clock.ts";
import { type BudgetRule, IntakeBudget } from "./intake-budget.ts";

/** How long an app that prints too fast to even be read waits: as long as it takes to earn half of its allowance back. */
const pauseMs = 500;

/** Reads `source` through `take`, at no more than the rule's rate: past it the app feels back-pressure. Resolves when the source has ended. */
export async function readAtRate(
  { source, rule, clock }: { readonly source: Readable; readonly rule: BudgetRule; readonly clock: Clock },
  take: (chunk: Buffer) => void,
  signal: AbortSignal,
): Promise<void> {
  const budget = new IntakeBudget(rule, clock.monotonicMs());
  const ended = Promise.withResolvers<void>();
  const resume = () => {
    if (!signal.aborted) source.resume();
  };
  const onData = (chunk: Buffer) => {
    take(chunk);
    if (budget.take(chunk.length, clock.monotonicMs())) return;
    source.pause();
    clock.sleep(pauseMs, signal).then(resume, () => ended.resolve());
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
