import type { ShippedEvent } from "./shipped-event.ts";

/** What became of some events that were sent once. */
export type Outcome =
  /** But for those that the receiver will never take. */
  | { readonly kind: "taken"; readonly refused: readonly Refusal[] }
  /** What was sent is nothing that the receiver ever takes, at least not all at once. */
  | { readonly kind: "refused"; readonly why: string }
  /** It may be taken later. */
  | { readonly kind: "failed"; readonly why: string; readonly retryAfterMs: number | null };

export interface Refusal {
  readonly event: ShippedEvent;
  readonly why: string;
}

export interface Receiver {
  /** Sends events once. Whatever happens to them is an outcome; it throws only what the signal aborted with, and defects. */
  send(events: readonly ShippedEvent[], signal: AbortSignal): Promise<Outcome>;
  close(): void;
}

export const taken: Outcome = { kind: "taken", refused: [] };

export function failed(why: string, retryAfterMs: number | null = null): Outcome {
  return { kind: "failed", why, retryAfterMs };
}

/** Far above what of it is shown, and above any header's secret that may stand in it: it is cut once those are taken out. */
const longestSaid = 32 * 1024;

/** What a receiver says of a refusal. */
export function oneLine(said: string): string {
  return said.slice(0, longestSaid).replaceAll(/\s+/g, " ").trim();
}
