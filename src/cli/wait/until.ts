import { DroverError } from "#model/errors.ts";
import { took } from "#model/quantities.ts";
import type { Session } from "../command.ts";

export interface UntilOptions {
  readonly timeoutMs: number;
  /** What did not come true in time, in words, and facts about it; asked only when time is over. */
  readonly late: () => { readonly message: string; readonly details?: unknown; readonly hint?: string };
}

/** A look is taken again after a tenth of the time spent so far, within these bounds: quick things are seen at once, slow ones cost little. */
const shortestLookMs = 15;
const longestLookMs = 250;
/** How long the server may be away (it restarts in two seconds) before waiting for it makes no sense. */
const awayMs = 30_000;

/**
 * Looks until `look` gives something. A server that is away for a moment is waited for.
 * @throws {DroverError} TIMED_OUT with the words of `late`; whatever `look` throws.
 */
export async function until<T>(session: Session, options: UntilOptions, look: (signal: AbortSignal) => Promise<T | null>): Promise<T> {
  const { clock, signal, progress } = session;
  const startedMs = clock.monotonicMs();
  let seenMs = startedMs;
  for (;;) {
    signal.throwIfAborted();
    try {
      const found = await look(signal);
      if (found !== null) return found;
      seenMs = clock.monotonicMs();
    } catch (error) {
      const isAway = error instanceof DroverError && error.code === "SERVER_UNREACHABLE";
      if (!isAway || clock.monotonicMs() - seenMs > awayMs) throw error;
      progress.show(["the server does not answer; trying on"]);
    }
    const spentMs = clock.monotonicMs() - startedMs;
    if (spentMs >= options.timeoutMs) {
      const { message, details, hint } = options.late();
      throw new DroverError("TIMED_OUT", `${message} within ${took(options.timeoutMs)}`, {
        details: details ?? null,
        hint: hint ?? "It goes on without this command; give --timeout to wait longer.",
      });
    }
    const pauseMs = Math.min(longestLookMs, Math.max(shortestLookMs, spentMs / 10));
    await clock.sleep(Math.min(pauseMs, options.timeoutMs - spentMs), signal);
  }
}
