/**
 * Lets one loop wait until there is something to look at again. It says no more than that: what there is, the loop looks up by itself, before it waits. So a
 * wake-up while nobody waits is not kept.
 */
export class Wakeup {
  #resolve: (() => void) | null = null;

  /** Ends the wait, if there is one. */
  wake(): void {
    this.#resolve?.();
  }

  /** Resolves at the next `wake`, or when the signal aborts; at once where it has. One waits at a time: of two, the later one is woken. */
  async wait(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#resolve = resolve;
    const onAbort = () => resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    await promise;
    signal.removeEventListener("abort", onAbort);
    // A next one may wait by now, whose wake-up this must not take.
    if (this.#resolve === resolve) this.#resolve = null;
  }
}
