import { randomBytes } from "node:crypto";
import { keys, put, unchanged } from "../objects/objects.ts";
import type { Sealed, Sealer } from "../secrets/sealer.ts";
import type { Store } from "../store/store.ts";

/** A session can be resumed for at most so long: who gets hold of the keys can read what was sealed with them. */
const lifeMs = 86_400_000;
/** What Node takes: name, HMAC key and cipher key. */
const keyBytes = 48;

interface TicketKeys {
  readonly keys: Sealed;
  readonly madeAtMs: number;
}

const bound = ["session ticket keys"];

/** The keys of TLS sessions that all edges share, in base64; new ones every day. `untilMs` is when they have to be asked for again. */
export async function ticketKeys(
  store: Store,
  sealer: Sealer,
  nowMs: number,
): Promise<{ readonly keys: string; readonly untilMs: number }> {
  const entry = store.get(keys.ticketKeys);
  if (entry !== null) {
    const kept = JSON.parse(Buffer.from(entry.value).toString("utf8")) as TicketKeys;
    const untilMs = kept.madeAtMs + lifeMs;
    if (untilMs > nowMs && kept.madeAtMs <= nowMs) return { keys: sealer.open(kept.keys, bound), untilMs };
  }
  const made = randomBytes(keyBytes).toString("base64");
  const stored: TicketKeys = { keys: sealer.seal(made, bound), madeAtMs: nowMs };
  await store.commit({ conditions: [unchanged(keys.ticketKeys, entry)], changes: [put(keys.ticketKeys, stored)] });
  return { keys: made, untilMs: nowMs + lifeMs };
}
