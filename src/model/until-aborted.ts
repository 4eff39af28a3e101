/**
 * What `work` comes to, or no longer than until the signal aborts: for work that others wait for too, or that cannot be told to stop.
 * @throws what `work` throws, or the signal's reason
 */
export async function untilAborted<T>(work: T | Promise<T>, signal: AbortSignal): Promise<T> {
  const stop = Promise.withResolvers<never>();
  const onAbort = () => stop.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    // The race takes note of `work` too where it fails later, or the process would end of a rejection that nobody heard.
    return await Promise.race([stop.promise, work]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
