/** What a shell reports of a command that Ctrl-C ended. */
export const interruptedExit = 130;

export type InterruptSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/** Who gets the signals that end a command: the command that is under way, unless it has passed them on to somebody else for a while. */
export interface Interrupts {
  /** Aborted by the first signal that nobody took. */
  readonly signal: AbortSignal;
  /** Hands signals to `handler` until what is returned is disposed of. */
  take(handler: (signal: InterruptSignal) => void): Disposable;
}

/** The first signal ends what is under way in good order; a second one ends at once. */
export function createInterrupts(): Interrupts {
  const interrupted = new AbortController();
  const takers: ((signal: InterruptSignal) => void)[] = [];
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      const taker = takers.at(-1);
      if (taker !== undefined) taker(signal);
      else if (interrupted.signal.aborted) process.exit(interruptedExit);
      else interrupted.abort(new Error("interrupted"));
    });
  }
  return {
    signal: interrupted.signal,
    take: (handler) => {
      takers.push(handler);
      return { [Symbol.dispose]: () => void takers.splice(takers.lastIndexOf(handler), 1) };
    },
  };
}
