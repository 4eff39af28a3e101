import { FairQueue } from "#host/fair-queue.ts";
import { DroverError } from "#model/errors.ts";

/** Of one caller at a time: what a page of the web UI asks for, twice, and some. */
const mostOfOne = 6;
/** Of all callers: what they wait for is answered by each machine one after the other, within seconds each. */
const mostOfAll = 24;

/**
 * How many questions about logs callers have under way. Each has a share, so that one who asks for much leaves room for the others; checks have none of it.
 * Nobody waits here, as questions wait on the machines already: what is too much is refused with OVERLOADED.
 */
export function createLogShares(): FairQueue {
  return new FairQueue({
    slots: mostOfAll,
    mostOfOne,
    mostWaiting: 0,
    refuse: (_, underWay) =>
      underWay >= mostOfOne
        ? refused(`${mostOfOne} of your searches of logs are under way already`, "Wait for their answers")
        : refused(`${mostOfAll} searches of logs are under way already`, "Try again in some seconds"),
  });
}

function refused(what: string, next: string): DroverError {
  return new DroverError("OVERLOADED", what, { hint: `${next}; a shorter time, or one app, is searched sooner.` });
}
