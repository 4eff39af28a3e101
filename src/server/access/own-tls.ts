import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { KeyPair } from "#host/x509/make-certificate.ts";
import type { Clock } from "#model/clock.ts";
import { type Authority, middleOf, readPair, writePair } from "../certificates/authority.ts";

/**
 * A certificate for `hosts` (names and addresses, besides the loopback ones) from Drover's own authority, kept below `folder` with mode 0600 until
 * half of its life is over.
 */
export async function ownTls(folder: string, authority: Authority, hosts: readonly string[], clock: Clock): Promise<KeyPair> {
  const names = [...new Set(["localhost", "127.0.0.1", "::1", ...hosts])];
  const kept = await readPair(folder, "api");
  if (kept !== null && isGood(kept, authority, names, clock)) return kept;
  const pair = await authority.issue("Drover API", names);
  await writePair(folder, "api", pair);
  return pair;
}

/** Milliseconds until `cert` should be renewed: half of its life, at least a minute. */
export function renewalInMs({ cert }: KeyPair, clock: Clock): number {
  return Math.max(60_000, middleOf(cert) - clock.nowMs());
}

function isGood({ cert }: KeyPair, authority: Authority, names: readonly string[], clock: Clock): boolean {
  const leaf = new X509Certificate(cert);
  const covers = names.every((name) => (isIP(name) === 0 ? leaf.checkHost(name) : leaf.checkIP(name)) !== undefined);
  return clock.nowMs() < middleOf(cert) && covers && authority.hasIssued(leaf);
}
