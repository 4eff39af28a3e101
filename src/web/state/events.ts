import { signal } from "@preact/signals";
import type { EventView } from "#model/api.ts";
import { ApiError, apiPath } from "../api/client.ts";
import { follow, readEvents } from "../api/streams.ts";

/** The newest event that was heard of. What shows something listens to it to know when to look again. */
export const latestEvent = signal<EventView | null>(null);

/** Hears of events until the signal aborts, without a gap even while the page is hidden. */
export async function followEvents(until: AbortSignal): Promise<void> {
  let after: number | undefined;
  await follow(async (signal) => {
    try {
      for await (const { event, data } of readEvents(apiPath(["events", "watch"], { after }), signal)) {
        if (event !== "event") continue;
        const one = JSON.parse(data) as EventView;
        after = one.sequence;
        latestEvent.value = one;
      }
    } catch (error) {
      // The page slept for so long that what it would go on after is kept no more, or the log was begun anew.
      if (!(error instanceof ApiError) || error.code !== "COMPACTED") throw error;
      after = undefined;
    }
  }, until);
}
