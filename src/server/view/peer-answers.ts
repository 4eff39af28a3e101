import type { Clock } from "#model/clock.ts";

/** A peer answers from memory or from what its kernel says; one that takes this long does not answer. */
const answersWithinMs = 1_000;

export type PeerAnswer<P, T> =
  | { readonly peer: P; readonly answer: T }
  /** It failed, or came too late. */
  | { readonly peer: P; readonly why: string };

/** Asks all of them at once, for a second at most unless it says `withinMs`. @throws the signal's reason when it aborts */
export async function askPeers<P, T>(
  peers: readonly P[],
  ask: (peer: P, signal: AbortSignal) => Promise<T>,
  clock: Clock,
  signal: AbortSignal,
  withinMs = answersWithinMs,
): Promise<readonly PeerAnswer<P, T>[]> {
  const late = new AbortController();
  const answered = new AbortController();
  const until = AbortSignal.any([signal, late.signal]);
  void clock.sleep(withinMs, AbortSignal.any([signal, answered.signal])).then(
    () => late.abort(new Error(`no answer within ${withinMs} ms`)),
    () => {}, // All have answered, or nobody wants to know any more.
  );
  const answers = await Promise.all(
    peers.map(async (peer): Promise<PeerAnswer<P, T>> => {
      try {
        return { peer, answer: await ask(peer, until) };
      } catch (error) {
        signal.throwIfAborted();
        // What is ended for being late says only that it was ended.
        const cause: unknown = late.signal.aborted ? late.signal.reason : error;
        return { peer, why: cause instanceof Error ? cause.message : String(cause) };
      }
    }),
  );
  answered.abort();
  return answers;
}
