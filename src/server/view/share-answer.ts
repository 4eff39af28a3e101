import type { Clock } from "#model/clock.ts";
import { untilAborted } from "#model/until-aborted.ts";

/** An answer is good for so long: short against the time between two looks at figures, long enough for all who look at the same moment. */
const goodForMs = 500;

/** Asks once for all who want to know at about the same time. One who gives up leaves the others their answer. @param life ends the asking itself */
export function shareAnswer<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  clock: Clock,
  life: AbortSignal,
): (signal: AbortSignal) => Promise<T> {
  let asked: { readonly answer: Promise<T>; doneAtMs: number | null } | null = null;
  const begin = () => {
    const one: { readonly answer: Promise<T>; doneAtMs: number | null } = { answer: ask(life), doneAtMs: null };
    one.answer.then(
      () => void (one.doneAtMs = clock.monotonicMs()),
      () => void (asked === one && (asked = null)),
    );
    return one;
  };
  return (signal) => {
    const isGood = asked !== null && (asked.doneAtMs === null || clock.monotonicMs() - asked.doneAtMs < goodForMs);
    if (asked === null || !isGood) asked = begin();
    return untilAborted(asked.answer, signal);
  };
}
