/** Time as an argument. Only a program's `main.ts` makes the real one; tests and simulations move a virtual one. */
export interface Clock {
  /** Wall-clock time in epoch milliseconds: for stamps that people read, never for measuring. */
  nowMs(): number;
  /** Milliseconds on a clock that never jumps: for durations, deadlines and backoff. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}
