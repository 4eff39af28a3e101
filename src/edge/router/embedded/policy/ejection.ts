import type { LiveTarget } from "../choice.ts";
import type { Endpoint } from "../endpoint.ts";

/** Failures in a row that take an instance out: fewer would let one bad request do it. */
const runLength = 5;
/** The first time out; each further one right after it is twice as long. */
const firstMs = 5_000;
const longestMs = 60_000;
/** Of a route's instances at most this share is out: what all of them fail at is not an instance's fault, and the rest would drown. */
const mostShare = 0.5;

/**
 * Notes how an instance answered: `isFailure` for answers of 500 and above, late ones and none. After a run of failures it is passed over for a while, unless too
 * many others of the route are.
 */
export function judge(endpoint: Endpoint, isFailure: boolean, targets: readonly LiveTarget[], nowMs: number): void {
  if (!isFailure) {
    endpoint.failures = 0;
    // It is back for good only once it has served for as long as it was out.
    if (endpoint.ejections > 0 && nowMs > endpoint.ejectedUntilMs + firstMs) endpoint.ejections = 0;
    return;
  }
  if (++endpoint.failures < runLength) return;
  let all = 0;
  let out = 0;
  for (const target of targets)
    for (const one of target.endpoints) {
      all++;
      if (one !== endpoint && one.ejectedUntilMs > nowMs) out++;
    }
  if (out + 1 > all * mostShare) return;
  endpoint.failures = 0;
  endpoint.ejectedUntilMs = nowMs + Math.min(longestMs, firstMs * 2 ** endpoint.ejections++);
}
