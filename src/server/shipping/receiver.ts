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
