import { pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { LogEvent } from "#model/log-event.ts";
import { parseLogQuery } from "#model/log-query.ts";
import type { LogPlace, UnsentAnswer, UnsentBatch, UnsentQuestion, UnsentRead } from "#model/log-shipping.ts";
import type { AppLog, Shelf } from "../app-log.ts";
import { LogFollower } from "../log-follower.ts";
import type { LogReading } from "../log-reading.ts";
import type { LogSelection } from "../log-selection.ts";
import { LineMasks } from "../search/line-masks.ts";
import { matches, ReadEvent } from "../search/match-event.ts";
import { selectAny } from "../search/select-any.ts";
import { told } from "../search/told.ts";
import { createTurns } from "../turns.ts";
import { nextEvents } from "./next-events.ts";
import { OlderLines } from "./older-lines.ts";

/** What a line takes to be given: until then nobody has to be told of it. */
const restMs = 1_000;
/** Apps that share one answer at most; the others have the next ones. */
const mostSharing = 4;

export interface UnsentLogsOptions extends LogReading {
  readonly log: Log;
}

/** Logs as they are read on and on by whoever sends them to others, from where they stopped the last time. */
export class UnsentLogs {
  readonly #options: UnsentLogsOptions;
  readonly #older = new OlderLines();

  constructor(options: UnsentLogsOptions) {
    this.#options = options;
  }

  /** Answers as soon as something is unread, or when the time is over. */
  async wait(question: UnsentQuestion, signal: AbortSignal): Promise<UnsentAnswer> {
    const { clock, follow } = this.#options;
    const over = new AbortController();
    const until = AbortSignal.any([signal, over.signal]);
    const selection = selectAny(question);
    const follower = new LogFollower(selection);
    follow(follower, until);
    const patience = pause(clock, question.waitMs, until).then(() => over.abort());
    try {
      let answer = await this.#unsent(question, selection);
      if (answer.lines === 0) {
        await follower.next(until);
        await pause(clock, restMs, until);
        answer = await this.#unsent(question, selection);
      }
      return answer;
    } finally {
      over.abort();
      await patience;
    }
  }

  /** What comes next, of several apps if there are several. @throws {DroverError} LOG_QUERY_INVALID */
  async read(read: UnsentRead, signal: AbortSignal): Promise<UnsentBatch> {
    const { machine, clock, log, select } = this.#options;
    const expression = parseLogQuery(read.query);
    const masks = new LineMasks(read.masks);
    const behind = (await select(selectAny(read))).filter((one) => isBehind(one, read.places[one.app] ?? null, read.sinceMs));
    const inTurn = behind.sort((a, b) => (a.app < b.app ? -1 : 1));
    const next = Math.max(
      0,
      inTurn.findIndex(({ app }) => app > (read.after ?? "")),
    );
    const places: Record<string, LogPlace> = {};
    const events: LogEvent[] = [];
    let [lostLines, bytes] = [0, 0];
    let last: string | null = null;
    const turns = createTurns(clock);
    const options = { sinceMs: read.sinceMs, limitBytes: read.limitBytes / Math.min(mostSharing, Math.max(1, inTurn.length)), log };
    for (const appLog of [...inTurn.slice(next), ...inTurn.slice(0, next)]) {
      if (bytes >= read.limitBytes) break;
      signal.throwIfAborted();
      const found = await nextEvents(appLog, read.places[appLog.app] ?? null, { ...options, nowMs: clock.nowMs() });
      if (found.place !== null) places[appLog.app] = found.place;
      lostLines += found.lostLines;
      last = appLog.app;
      for (const raw of found.events) {
        const event = new ReadEvent(raw, machine, masks.of(raw.instance));
        bytes += event.text.length;
        if (matches(event, expression)) events.push(told(event, machine));
        await turns();
      }
    }
    return { events, places, last, lostLines };
  }

  async #unsent({ places, sinceMs }: UnsentQuestion, selection: LogSelection): Promise<UnsentAnswer> {
    let [lines, bytes] = [0, 0];
    let oldestMs: number | null = null;
    for (const appLog of await this.#options.select(selection)) {
      const place = places[appLog.app] ?? null;
      if (!isBehind(appLog, place, sinceMs)) continue;
      const left = appLog.shelves.filter(({ number, lastAtMs }) => (place === null ? lastAtMs >= sinceMs : number >= place.segment));
      const [first] = left;
      if (first === undefined) continue;
      const before = await this.#before(first, place, sinceMs);
      lines += left.reduce((sum, shelf) => sum + shelf.lines, 0) - before.lines;
      bytes += left.reduce((sum, shelf) => sum + shelf.bytes, 0) - before.bytes;
      // The place may be that of a line from before the destination was declared.
      oldestMs = Math.min(oldestMs ?? Number.POSITIVE_INFINITY, Math.max(sinceMs, place?.atMs ?? first.firstAtMs));
    }
    return { lines: Math.max(0, lines), bytes: Math.max(0, bytes), sinceMs: oldestMs };
  }

  /** What the first segment that has something unread has besides. */
  async #before(first: Shelf, place: LogPlace | null, sinceMs: number): Promise<{ readonly lines: number; readonly bytes: number }> {
    if (place === null) return this.#older.of(first, sinceMs);
    return first.number === place.segment ? { lines: place.lines - first.firstLine, bytes: place.bytes } : { lines: 0, bytes: 0 };
  }
}

function isBehind({ shelves }: AppLog, place: LogPlace | null, sinceMs: number): boolean {
  const newest = shelves.findLast(({ lines }) => lines > 0);
  if (newest === undefined) return false;
  if (place === null) return newest.lastAtMs >= sinceMs;
  return place.segment !== newest.number || place.bytes !== newest.bytes;
}
