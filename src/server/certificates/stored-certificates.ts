import type { CertificateFacts, CertificateOrigin, EdgeCertificate } from "#model/certificates.ts";
import { keys, put, remove } from "../objects/objects.ts";
import type { Sealed, Sealer } from "../secrets/sealer.ts";
import type { Change, Entry, Store } from "../store/store.ts";
import { type Chain, factsOf } from "./read-chain.ts";

/** What the store holds of a certificate. */
interface StoredCertificate extends CertificateFacts {
  readonly chain: string;
  readonly key: Sealed;
  readonly addedAtMs: number;
}

const parsed = new WeakMap<Entry, StoredCertificate>();

function parse(entry: Entry): StoredCertificate {
  const known = parsed.get(entry);
  if (known !== undefined) return known;
  const { value } = entry;
  const certificate = JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("utf8")) as StoredCertificate;
  parsed.set(entry, certificate);
  return certificate;
}

/** Whether the store keeps a certificate that Drover could not make again by itself. */
export function holdsCertificates(store: Store): boolean {
  return store.list("/certificates/acme/", { limit: 1 }).length + store.list("/certificates/file/", { limit: 1 }).length > 0;
}

export function listCertificates(store: Store): readonly CertificateFacts[] {
  return store.list("/certificates/").map(parse);
}

export function findCertificate(store: Store, id: string): (CertificateFacts & { readonly chain: string }) | null {
  const entry = store.get(keys.certificate(id));
  return entry === null ? null : parse(entry);
}

/** What to write so that the certificate is kept, in place of one of its id. */
export function keepCertificate(
  sealer: Sealer,
  {
    id,
    origin,
    chain,
    key,
    nowMs,
  }: { readonly id: string; readonly origin: CertificateOrigin; readonly chain: Chain; readonly key: string; readonly nowMs: number },
): Change {
  const facts = factsOf(id, origin, chain);
  const stored: StoredCertificate = { ...facts, chain: chain.text, key: sealer.seal(key, boundOf(facts)), addedAtMs: nowMs };
  return put(keys.certificate(id), stored);
}

export function dropCertificate(id: string): Change {
  return remove(keys.certificate(id));
}

/** The certificate as edges need it, for the hosts that it serves. @throws {DroverError} SECRET_KEY_UNUSABLE */
export function revealCertificate(store: Store, sealer: Sealer, id: string, hosts: readonly string[]): EdgeCertificate | null {
  const entry = store.get(keys.certificate(id));
  if (entry === null) return null;
  const stored = parse(entry);
  return { id, hosts, chain: stored.chain, key: sealer.open(stored.key, boundOf(stored)), isTrusted: stored.origin !== "own" };
}

function boundOf({ id, fingerprint }: CertificateFacts): readonly string[] {
  return ["certificate", id, fingerprint];
}
