import { effect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import type { EventView } from "#model/api.ts";
import { ApiError } from "../api/client.ts";
import { latestEvent } from "./events.ts";

/** Events come in bursts; one look after the burst is enough. */
const settleMs = 150;

export interface Loaded<T> {
  /** The last answer; null before the first. */
  readonly value: T | null;
  /** Why the last attempt failed; null if it did not. */
  readonly error: ApiError | null;
  readonly reload: () => void;
}

interface LoadOptions {
  /** Looks again so often while the page can be seen, for what no event tells of. */
  readonly everyMs?: number;
  /** Looks again when an event that this says yes to comes in. */
  readonly wakes?: (event: EventView) => boolean;
}

/** What `load` answers, for as long as the component is there; anew when `key` changes. */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>, { everyMs, wakes }: LoadOptions = {}): Loaded<T> {
  const [state, setState] = useState<{ readonly key: string; readonly value: T | null; readonly error: ApiError | null }>({
    key,
    value: null,
    error: null,
  });
  const reload = useRef(() => {});
  // The key stands for all that `load` closes over.
  useEffect(() => {
    const gone = new AbortController();
    let isLoading = false;
    let isStale = false;
    const look = async () => {
      if (isLoading) {
        isStale = true;
        return;
      }
      isLoading = true;
      try {
        const value = await load(gone.signal);
        if (!gone.signal.aborted) setState({ key, value, error: null });
      } catch (error) {
        if (gone.signal.aborted) return;
        if (!(error instanceof ApiError)) throw error;
        setState((last) => ({ key, value: last.key === key ? last.value : null, error }));
      } finally {
        isLoading = false;
      }
      if (!isStale || gone.signal.aborted) return;
      isStale = false;
      await look();
    };
    reload.current = () => void look();
    void look();
    let settling = 0;
    const first = latestEvent.peek();
    const stopListening = effect(() => {
      const event = latestEvent.value;
      if (event === null || event === first || wakes === undefined || !wakes(event)) return;
      clearTimeout(settling);
      settling = setTimeout(() => void look(), settleMs) as unknown as number;
    });
    const timer = everyMs === undefined ? undefined : setInterval(() => document.hidden || void look(), everyMs);
    return () => {
      gone.abort();
      stopListening();
      clearTimeout(settling);
      clearInterval(timer);
    };
  }, [key]);
  const isCurrent = state.key === key;
  return { value: isCurrent ? state.value : null, error: isCurrent ? state.error : null, reload: () => reload.current() };
}

/** Runs something that lasts as long as the component, anew when `key` changes. */
export function useWhile(key: string, run: (signal: AbortSignal) => Promise<void>, onError?: (error: ApiError) => void): void {
  useEffect(() => {
    const gone = new AbortController();
    run(gone.signal).catch((error: unknown) => {
      if (gone.signal.aborted) return;
      // The way in is shown in place of the page already.
      if (error instanceof ApiError && error.code === "UNAUTHENTICATED") return;
      if (!(error instanceof ApiError) || onError === undefined) throw error;
      onError(error);
    });
    return () => gone.abort();
  }, [key]);
}
