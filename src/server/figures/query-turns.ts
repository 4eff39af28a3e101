import { FairQueue } from "#host/fair-queue.ts";
import { DroverError } from "#model/errors.ts";

/** Questions that are answered at once: each may hold some 32 MB. */
const mostAtOnce = 4;
/** Of one caller, so that nobody's page of graphs keeps others waiting. */
const mostOfOne = 2;
/** Of one caller that wait: more graphs than a page has. */
const mostWaiting = 50;

/** Where questions about figures wait for their turns, by caller. Refuses with OVERLOADED. */
export function createQueryTurns(): FairQueue {
  return new FairQueue({
    slots: mostAtOnce,
    mostOfOne,
    mostWaiting,
    refuse: () =>
      new DroverError("OVERLOADED", `${mostWaiting} questions about figures wait already`, {
        hint: "Wait for some answers before you ask for more.",
      }),
  });
}
