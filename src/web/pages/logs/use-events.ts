import { useEffect, useRef, useState } from "preact/hooks";
import type { LogPage, LogTailItem } from "#model/api-logs.ts";
import { ApiError, apiPath, call } from "../../api/client.ts";
import { follow, readJsonLines } from "../../api/streams.ts";
import { type AskedRange, rangeAt } from "../../state/time-range.ts";
import { useWhile } from "../../state/use.ts";
import { type Found, keptEvents, nothing, pageEvents, withOlder, withTail } from "./found.ts";
import type { Scope } from "./log-scope.ts";

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
      await follow(async (signal) => {
        const batch = createFrames((items: readonly LogTailItem[]) => change((found) => withTail(found, items)));
        try {
          for await (const item of readJsonLines<LogTailItem>(apiPath(["logs", "tail"], { ...scope }), signal)) batch.add(item);
        } finally {
          batch.end();
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

/** Hands what comes on once a frame: a flood costs no more drawing than a trickle. */
function createFrames<T>(give: (items: readonly T[]) => void) {
  let waiting: T[] = [];
  let frame = 0;
  const flush = () => {
    frame = 0;
    give(waiting);
    waiting = [];
  };
  return {
    add: (item: T) => {
      waiting.push(item);
      if (waiting.length > keptEvents) waiting = waiting.slice(-keptEvents);
      if (frame === 0) frame = requestAnimationFrame(flush);
    },
    end: () => cancelAnimationFrame(frame),
  };
}
