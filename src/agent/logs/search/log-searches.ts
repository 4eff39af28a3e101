import { type Clock, pause } from "#model/clock.ts";
import type {
  LogContext,
  LogContextAnswer,
  LogCount,
  LogCountAnswer,
  LogEvent,
  LogSearch,
  LogSearchAnswer,
  LogTail,
  TailMasks,
} from "#model/log-event.ts";
import { parseLogQuery } from "#model/log-query.ts";
import { LogFollower } from "../log-follower.ts";
import type { LogReading } from "../log-reading.ts";
import type { ScanJob } from "./jobs.ts";
import { LineMasks } from "./line-masks.ts";
import { matches, ReadEvent } from "./match-event.ts";
import { EventJoiner, type RawEvent } from "./raw-events.ts";
import { Searcher } from "./searcher.ts";
import { selectAny } from "./select-any.ts";
import { told } from "./told.ts";

/** How long the rest of a stack trace is waited for before its event is shown: a program writes it at once. */
const traceMs = 100;
/** Lines around an event that its neighbours are looked for in: enough for stack traces as neighbours. */
const linesAnEvent = 20;

/** Questions about what instances printed. Queries are as `parseLogQuery` reads them; one that it does not is LOG_QUERY_INVALID. */
export class LogSearches {
  readonly #options: LogReading;
  readonly #searcher: Searcher;
  /** Of tails that have a name, what they must not find. */
  readonly #tailMasks = new Map<string, LineMasks>();

  constructor(options: LogReading) {
    this.#options = options;
    this.#searcher = new Searcher(options.clock);
  }

  /** The newest events that match. @throws {DroverError} LOG_QUERY_INVALID, OVERLOADED */
  async search(search: LogSearch, signal: AbortSignal): Promise<LogSearchAnswer> {
    parseLogQuery(search.query);
    return this.#searcher.answer({ ...(await this.#job(search)), ask: { kind: "search", search } }, signal);
  }

  /** How many events match, by time and level. @throws {DroverError} LOG_QUERY_INVALID, OVERLOADED */
  async count(count: LogCount, signal: AbortSignal): Promise<LogCountAnswer> {
    parseLogQuery(count.query);
    return this.#searcher.answer({ ...(await this.#job(count)), ask: { kind: "count", count } }, signal);
  }

  /** What stands around an event of an instance. @throws {DroverError} OVERLOADED */
  async context(context: LogContext, signal: AbortSignal): Promise<LogContextAnswer> {
    const { instance, sequence, before, after } = context;
    const logs = await this.#options.select(selectAny({ of: [instance], except: [] }));
    const [from, to] = [sequence - before * linesAnEvent, sequence + after * linesAnEvent];
    const segments = logs.flatMap((log) => log.segmentsWith(instance, from, to));
    return this.#searcher.answer(
      { machine: this.#options.machine, by: context.by ?? "", segments, ask: { kind: "context", context } },
      signal,
    );
  }

  /** Matching events as they come, until the signal aborts. @throws {DroverError} LOG_QUERY_INVALID */
  async *tail(tail: LogTail, signal: AbortSignal): AsyncGenerator<LogEvent, void, void> {
    const { clock, machine, follow } = this.#options;
    const expression = parseLogQuery(tail.query);
    const masks = new LineMasks(tail.masks);
    const { reader } = tail;
    const follower = new LogFollower(selectAny(tail));
    const ended = new AbortController();
    const until = AbortSignal.any([signal, ended.signal]);
    follow(follower, until);
    const joiner = new EventJoiner();
    const wanted = function* (events: Iterable<RawEvent>) {
      for (const raw of events) {
        const event = new ReadEvent(raw, machine, masks.of(raw.instance));
        if (matches(event, expression)) yield told(event, machine);
      }
    };
    if (reader !== undefined) this.#tailMasks.set(reader, masks);
    try {
      while (!signal.aborted) {
        const frames = joiner.isEmpty ? await follower.next(until) : await nextWithin(follower, traceMs, clock, until);
        for (const frame of frames) yield* wanted(joiner.take(frame));
        const nowMs = clock.nowMs();
        yield* wanted(joiner.flush((lastAtMs) => frames.length > 0 && nowMs - lastAtMs < traceMs));
      }
    } finally {
      if (reader !== undefined) this.#tailMasks.delete(reader);
      ended.abort();
    }
  }

  /** What a tail must not find from now on. @returns whether there is one of that name */
  remask({ reader, masks }: TailMasks): boolean {
    const tail = this.#tailMasks.get(reader);
    tail?.become(masks);
    return tail !== undefined;
  }

  close(): Promise<void> {
    return this.#searcher.close();
  }

  async #job(range: LogSearch | LogCount): Promise<Omit<ScanJob, "ask">> {
    const selection = selectAny(range);
    const logs = await this.#options.select(selection);
    const segments = logs.flatMap((log) => log.segments(selection.has, range.sinceMs, range.untilMs));
    return { machine: this.#options.machine, by: range.by ?? "", segments };
  }
}

async function nextWithin(follower: LogFollower, ms: number, clock: Clock, signal: AbortSignal) {
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  void pause(clock, ms, until).then(() => over.abort());
  const frames = await follower.next(until);
  over.abort();
  return frames;
}
