import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { Store } from "../store/store.ts";

/** Wait before the store is listed and watched anew after a watch broke off. */
const rewatchMs = 100;

/** Tells of each key below `prefix` that changes from now on, until the signal aborts; `onLost` when some changes may not have been told. */
export async function followStore(
  prefix: string,
  onKey: (key: string) => void,
  onLost: () => void,
  { store, clock, log }: { readonly store: Store; readonly clock: Clock; readonly log: Log },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const { changes } of store.watch(prefix, store.revision, signal))
        for (const change of changes) onKey(change.kind === "put" ? change.entry.key : change.key);
    } catch (error) {
      if (signal.aborted) return;
      const isBehind = error instanceof DroverError && error.code === "COMPACTED";
      log[isBehind ? "info" : "error"]("watch of store broke off", { prefix, ...errorFields(error) });
      await pause(clock, rewatchMs, signal);
      onLost();
    }
  }
}
