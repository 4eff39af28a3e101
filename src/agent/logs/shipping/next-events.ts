import type { Log } from "#model/log.ts";
import type { LogPlace } from "#model/log-shipping.ts";
import type { AppLog } from "../app-log.ts";
import { EventJoiner, type RawEvent } from "../search/raw-events.ts";
import { type UnreadFrame, unreadFrames } from "./unread-frames.ts";

/** What was printed less than this ago may go on: an event is given once it is whole. As far as the lines of a stack trace may be apart. */
const wholeAfterMs = 1_000;
/** Where no line is known to be the last of its event for so long, they are given as they are. */
const longestHeldMs = 3_000;
/** How much more is taken than was asked for so that a stack trace stays one event: as much as one may have. */
const mostTraceBytes = 64 * 1024;

export interface NextEvents {
  readonly events: readonly RawEvent[];
  /** After them; null while nothing is known of the log. */
  readonly place: LogPlace | null;
  readonly lostLines: number;
}

export interface NextEventsOptions {
  readonly sinceMs: number;
  /** Of text. */
  readonly limitBytes: number;
  readonly nowMs: number;
  readonly log: Log;
}

/** The events of an app after a place, so many that no stack trace is cut in two. */
export async function nextEvents(appLog: AppLog, from: LogPlace | null, options: NextEventsOptions): Promise<NextEvents> {
  const { sinceMs, limitBytes, nowMs, log } = options;
  const taken: UnreadFrame[] = [];
  const joiner = new EventJoiner();
  let passed = from;
  let whole = 0;
  let bytes = 0;
  for await (const unread of unreadFrames(appLog, from, sinceMs, log)) {
    const ageMs = nowMs - unread.frame.atMs;
    // One from the future was printed before the clock was set back, and will not be older for as long.
    if (ageMs >= 0 && ageMs < wholeAfterMs) break;
    if (unread.isTooOld) {
      passed = unread.place;
      continue;
    }
    taken.push(unread);
    joiner.visit(unread.frame, () => {});
    if (!joiner.mayGoOn) whole = taken.length;
    bytes += unread.frame.body.length;
    if (bytes >= limitBytes && (whole === taken.length || bytes >= limitBytes + mostTraceBytes)) break;
  }
  const isFull = bytes >= limitBytes;
  const [first] = taken;
  const isHeldLong = first !== undefined && nowMs - first.frame.atMs >= longestHeldMs;
  const given = whole === 0 && (isFull || isHeldLong) ? taken : taken.slice(0, whole);
  return {
    events: eventsOf(given),
    place: given.at(-1)?.place ?? passed,
    lostLines: given.reduce((sum, { lostLines }) => sum + lostLines, 0),
  };
}

function eventsOf(given: readonly UnreadFrame[]): readonly RawEvent[] {
  const joiner = new EventJoiner();
  return [...given.flatMap(({ frame }) => [...joiner.take(frame)]), ...joiner.flush()];
}
