import { types } from "./codes.ts";
import type { Labels } from "./names.ts";
import { addressRecord, pointerRecord, type RecordData } from "./records.ts";

export type LocalAnswer = { readonly kind: "found"; readonly records: readonly RecordData[] } | { readonly kind: "unknown" };

/** They never change. */
export const localTtlS = 86_400;

/** Last labels that no resolver out there knows, and must not be asked for (RFC 6761, RFC 7686). */
const neverThere: ReadonlySet<string> = new Set(["invalid", "onion"]);

/**
 * What is the same on every machine (RFC 6761, 6.3): `localhost` and all names below it are this machine, and so is their way back.
 * Null: an ordinary name.
 */
export function localAnswer(labels: Labels, type: number): LocalAnswer | null {
  const last = labels.at(-1) ?? "";
  if (last === "localhost") return { kind: "found", records: [addressRecord("127.0.0.1"), addressRecord("::1")].filter(asked(type)) };
  if (neverThere.has(last)) return { kind: "unknown" };
  if (last !== "arpa") return null;
  const name = labels.join(".");
  if (name === "1.0.0.127.in-addr.arpa" || name === `1.${"0.".repeat(31)}ip6.arpa`)
    return { kind: "found", records: [pointerRecord(["localhost"])].filter(asked(type)) };
  return name === "127.in-addr.arpa" || name.endsWith(".127.in-addr.arpa") ? { kind: "unknown" } : null;
}

const asked = (type: number) => (record: RecordData) => type === types.any || record.type === type;
