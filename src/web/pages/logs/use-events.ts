import { useEffect, useRef, useState } from "preact/hooks";
import type { LogEventView, LogPage, LogTailItem } from "#model/api-logs.ts";
import { ApiError, apiPath, call } from "../../api/client.ts";
import { follow, readJsonLines, sleep } from "../../api/streams.ts";
import { collectFrames } from "../../state/frames.ts";
import { type AskedRange, rangeAt } from "../../state/time-range.ts";
import { useWhile } from "../../state/use.ts";
import { type Found, keptEvents, nothing, pageEvents, withMissed, withOlder, withTail } from "./found.ts";
import type { Scope } from "./log-scope.ts";

/** How much later than a newer event of another machine one may come. */
const lateMs = 60_000;
/** Until each machine is listened to once a stream is open: two looks of the server, and slow links. */
const listeningMs = 3_000;
/** As many as the API gives at once. */
const eventsPerRead = 1_000;

export interface FoundEvents extends Found {
  /** Null: there is nothing older, or it is on its way. */
  readonly loadOlder: (() => void) | null;
}

/** Events that match, a page at a time into the past; live also those that come. */
export function useEvents(scope: Scope, asked: AskedRange, isLive: boolean): FoundEvents {
  const key = JSON.stringify([scope, asked.key, isLive]);
  const [state, setState] = useState<{ readonly key: string; readonly found: Found }>({ key, found: nothing });
  const shown = useRef(key);
  shown.current = key;
  /** When the newest event happened that is known; null: none is. */
  const known = useRef<number | null>(null);
  known.current = state.key === key ? (state.found.events[0]?.atMs ?? null) : null;
  const change = (next: (found: Found) => Found) => {
    // A page that comes after something else was asked for must not take the place of that.
    if (shown.current === key) setState((last) => ({ key, found: next(last.key === key ? last.found : nothing) }));
  };
  const load = async (cursor: string | null, signal?: AbortSignal) => {
    change((found) => ({ ...found, isLoading: true, error: null }));
    try {
      const { fromMs, toMs } = rangeAt(asked, Date.now());
      const range = { sinceMs: Math.round(fromMs), untilMs: Math.round(toMs) };
      const path = apiPath(["logs", "events"], { ...scope, ...range, limit: pageEvents, cursor: cursor ?? undefined });
      const page = await call<LogPage>("GET", path, signal === undefined ? {} : { signal });
      change((found) => ({ ...found, isLoading: false, page, events: withOlder(found.events, page.events) }));
    } catch (error) {
      if (signal?.aborted === true) return;
      if (!(error instanceof ApiError)) throw error;
      change((found) => ({ ...found, isLoading: false, error }));
    }
  };
  useEffect(() => {
    const gone = new AbortController();
    void load(null, gone.signal);
    return () => gone.abort();
  }, [key]);
  useWhile(
    key,
    async (gone) => {
      if (!isLive) return;
      let missedSinceMs: number | null = null;
      await follow(async (signal) => {
        missedSinceMs ??= known.current === null ? rangeAt(asked, Date.now()).fromMs : known.current - lateMs;
        const ended = new AbortController();
        const frames = collectFrames(keptEvents, (items: readonly LogTailItem[]) => change((found) => withTail(found, items)));
        const catchingUp = catchUp(scope, missedSinceMs, AbortSignal.any([signal, ended.signal]), (events) =>
          change((found) => ({ ...found, events: withMissed(found.events, events) })),
        );
        const caughtUp = catchingUp.then((isDone) => {
          if (isDone) missedSinceMs = null;
        });
        try {
          for await (const item of readJsonLines<LogTailItem>(apiPath(["logs", "tail"], { ...scope }), signal)) frames.add(item);
        } finally {
          ended.abort();
          frames.end();
          await caughtUp;
        }
      }, gone);
    },
    (error) => change((found) => ({ ...found, error })),
  );
  const found = state.key === key ? state.found : { ...nothing, isLoading: true };
  const next = found.page?.next ?? null;
  const canGrow = next !== null && found.events.length < keptEvents && !found.isLoading;
  return { ...found, loadOlder: canGrow ? () => void load(next) : null };
}

/**
 * Asks for what happened since a moment and may not have come with the stream that begins now. Twice: at once, and when every machine is listened to.
 * @returns whether nothing can be missing any more
 */
async function catchUp(
  scope: Scope,
  sinceMs: number,
  until: AbortSignal,
  give: (events: readonly LogEventView[]) => void,
): Promise<boolean> {
  for (const waitMs of [0, listeningMs]) {
    await sleep(waitMs, until);
    let cursor: string | undefined;
    let read = 0;
    do {
      if (until.aborted) return false;
      try {
        const path = apiPath(["logs", "events"], { ...scope, sinceMs: Math.round(sinceMs), limit: eventsPerRead, cursor });
        const page: LogPage = await call<LogPage>("GET", path, { signal: until });
        give(page.events);
        cursor = page.next ?? undefined;
        read += page.events.length;
      } catch (error) {
        // The stream breaks for the same reason, and the next one asks for the same time once more.
        if (until.aborted || error instanceof ApiError) return false;
        throw error;
      }
    } while (cursor !== undefined && read < keptEvents);
  }
  return true;
}
