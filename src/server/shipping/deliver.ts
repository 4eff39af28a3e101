import type { Outcome, Receiver, Refusal } from "./receiver.ts";
import type { ShippedEvent } from "./shipped-event.ts";

/** Requests that one batch may take while it is looked for what the receiver refuses: two bad events among some hundred are found with fewer. */
const mostRequests = 32;

/**
 * Sends a batch. What is refused as a whole is halved until the events that cannot be taken stand alone, so that they keep no others from being taken;
 * once that has taken as many requests as it may, what is left in one piece is refused as such.
 * @returns `taken` with what was refused for good, or `failed`: then all of it has to be sent again
 */
export async function deliver(
  receiver: Receiver,
  events: readonly ShippedEvent[],
  signal: AbortSignal,
): Promise<Exclude<Outcome, { kind: "refused" }>> {
  const refused: Refusal[] = [];
  const parts: (readonly ShippedEvent[])[] = events.length === 0 ? [] : [events];
  let requests = 0;
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    requests++;
    const outcome = await receiver.send(part, signal);
    if (outcome.kind === "failed") return outcome;
    if (outcome.kind === "taken") refused.push(...outcome.refused);
    else if (part.length === 1 || requests + parts.length + 2 > mostRequests)
      refused.push(...part.map((event) => ({ event, why: outcome.why })));
    else {
      const half = Math.ceil(part.length / 2);
      parts.unshift(part.slice(0, half), part.slice(half));
    }
  }
  return { kind: "taken", refused };
}
