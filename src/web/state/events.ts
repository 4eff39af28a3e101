import { signal } from "@preact/signals";
import type { EventView } from "#model/api.ts";
import { apiPath } from "../api/client.ts";
import { follow, readEvents } from "../api/streams.ts";

/** The newest event that was heard of. What shows something listens to it to know when to look again. */
export const latestEvent = signal<EventView | null>(null);

/** Hears of events until the signal aborts, without a gap even while the page is hidden. */
export async function followEvents(until: AbortSignal): Promise<void> {
  await follow(async (signal) => {
    const after = latestEvent.value?.sequence;
    for await (const { event, data } of readEvents(apiPath(["events", "watch"], { after }), signal))
      if (event === "event") latestEvent.value = JSON.parse(data) as EventView;
  }, until);
}
