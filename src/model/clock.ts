/** Time as an argument. Only a program's `main.ts` makes the real one; tests and simulations move a virtual one. */
export interface Clock {
  /** Wall-clock time in epoch milliseconds: for stamps that people read, never for measuring. */
  nowMs(): number;
  /** Milliseconds on a clock that never jumps: for durations, deadlines and backoff. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Waits, or less long if the signal aborts: for loops that look at the signal, or at what it stands for, themselves. */
export async function pause(clock: Pick<Clock, "sleep">, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
