import { type Clock, pause } from "#model/clock.ts";
import { untilAborted } from "#model/until-aborted.ts";

/**
 * One try at telling somebody, ended after its time whatever it still does.
 * @returns null when it was taken, else why not, in words
 * @throws what `parent` aborted with
 */
export async function attemptWithin(
  deadlineMs: number,
  send: (signal: AbortSignal) => Promise<string | null>,
  clock: Clock,
  parent: AbortSignal,
): Promise<string | null> {
  const over = new AbortController();
  const late = new AbortController();
  const signal = AbortSignal.any([parent, late.signal]);
  const patience = pause(clock, deadlineMs, AbortSignal.any([parent, over.signal])).then(() => {
    if (!over.signal.aborted) late.abort(new Error("late"));
  });
  try {
    return await untilAborted(send(signal), signal);
  } catch (error) {
    parent.throwIfAborted();
    if (late.signal.aborted) return `no answer within ${deadlineMs / 1_000} s`;
    return error instanceof Error ? error.message : String(error);
  } finally {
    over.abort();
    await patience;
  }
}
