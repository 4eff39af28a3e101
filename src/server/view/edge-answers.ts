import type { Clock } from "#model/clock.ts";
import type { EdgePeer } from "../fleet/peers.ts";

/** An edge answers from memory; one that takes this long does not answer. */
const edgeAnswersWithinMs = 1_000;

export type EdgeAnswer<T> =
  | { readonly peer: EdgePeer; readonly answer: T }
  /** It failed, or came too late. */
  | { readonly peer: EdgePeer; readonly why: string };

/** Asks all of them at once, for a second at most. @throws the signal's reason when it aborts */
export async function askEdges<T>(
  peers: readonly EdgePeer[],
  ask: (peer: EdgePeer, signal: AbortSignal) => Promise<T>,
  clock: Clock,
  signal: AbortSignal,
): Promise<readonly EdgeAnswer<T>[]> {
  const late = new AbortController();
  const answered = new AbortController();
  const until = AbortSignal.any([signal, late.signal]);
  void clock.sleep(edgeAnswersWithinMs, AbortSignal.any([signal, answered.signal])).then(
    () => late.abort(new Error(`no answer within ${edgeAnswersWithinMs} ms`)),
    () => {}, // All have answered, or nobody wants to know any more.
  );
  const answers = await Promise.all(
    peers.map(async (peer): Promise<EdgeAnswer<T>> => {
      try {
        return { peer, answer: await ask(peer, until) };
      } catch (error) {
        signal.throwIfAborted();
        return { peer, why: error instanceof Error ? error.message : String(error) };
      }
    }),
  );
  answered.abort();
  return answers;
}
