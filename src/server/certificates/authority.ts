import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import { type KeyPair, keyPem, makeCertificate, newKey } from "#host/x509/make-certificate.ts";
import type { Clock } from "#model/clock.ts";

const dayMs = 86_400_000;
/** The root outlives any installation's patience for handing it out anew; what it signs is short-lived. */
const rootMs = 10 * 365 * dayMs;
/** A leaf is renewed at half of its life, so a server that was off for weeks still starts with a valid one. */
const leafMs = 30 * dayMs;
/** Clocks of clients may be behind ours. */
const backdateMs = 3_600_000;
/** Those of machines may be behind by a day, and a link must not fail for it: nothing that is ordered over it goes by the clock. */
const linkBackdateMs = 2 * dayMs;
/**
 * The name of each authority, by the name of its files. That of the links is apart, so that no key that an edge has is of use on a link; that of
 * what machines send each other too, so that nothing that people's browsers trust opens a machine's entry.
 */
const authorityNames = { ca: "Drover", "link-ca": "Drover links", "machine-ca": "Drover machines" } as const;

/** Drover's own certificate authority. */
export class Authority {
  /** PEM: what clients need to trust. */
  readonly cert: string;
  readonly #certificate: X509Certificate;
  readonly #key: KeyObject;
  readonly #clock: Clock;

  constructor({ key, cert }: KeyPair, clock: Clock) {
    this.cert = cert;
    this.#certificate = new X509Certificate(cert);
    this.#key = createPrivateKey(key);
    this.#clock = clock;
  }

  async issue(name: string, hosts: readonly string[]): Promise<KeyPair> {
    const key = await newKey();
    const nowMs = this.#clock.nowMs();
    const issuer = { name: this.#certificate.subject.replace(/^CN=/, ""), key: this.#key };
    const life = { notBeforeMs: nowMs - backdateMs, notAfterMs: nowMs + leafMs };
    return { key: keyPem(key), cert: makeCertificate({ name, key, issuer, ...life, use: { kind: "server", hosts } }) };
  }

  /** A certificate for one end of a link between machines. @param key of somebody else the public half */
  certifyLink(name: string, key: KeyObject, end: "link-server" | "link-client", uri: string): string {
    const nowMs = this.#clock.nowMs();
    const issuer = { name: this.#certificate.subject.replace(/^CN=/, ""), key: this.#key };
    return makeCertificate({
      name,
      key,
      issuer,
      notBeforeMs: nowMs - linkBackdateMs,
      notAfterMs: nowMs + leafMs,
      use: { kind: end, uri },
    });
  }

  /** A key and a certificate with which a machine sends to others and is sent to. */
  async issueMachine(name: string, host: string): Promise<KeyPair> {
    const key = await newKey();
    const nowMs = this.#clock.nowMs();
    const issuer = { name: this.#certificate.subject.replace(/^CN=/, ""), key: this.#key };
    const life = { notBeforeMs: nowMs - linkBackdateMs, notAfterMs: nowMs + leafMs };
    return { key: keyPem(key), cert: makeCertificate({ name, key, issuer, ...life, use: { kind: "machine", host } }) };
  }

  hasIssued(leaf: X509Certificate): boolean {
    return leaf.verify(this.#certificate.publicKey);
  }
}

/** The authority whose key and certificate are in `folder`, both with mode 0600; made when they are first asked for. */
export async function openAuthority(folder: string, clock: Clock, files: keyof typeof authorityNames = "ca"): Promise<Authority> {
  const kept = await readPair(folder, files);
  if (kept !== null) return new Authority(kept, clock);
  const key = await newKey();
  const nowMs = clock.nowMs();
  const life = { notBeforeMs: nowMs - backdateMs, notAfterMs: nowMs + rootMs };
  const pair = { key: keyPem(key), cert: makeCertificate({ name: authorityNames[files], key, ...life, use: { kind: "authority" } }) };
  await writePair(folder, files, pair);
  return new Authority(pair, clock);
}

/** Half of its life, in epoch milliseconds: from then on it should be renewed. */
export function middleOf(cert: string): number {
  const { validFromDate, validToDate } = new X509Certificate(cert);
  return (validFromDate.getTime() + validToDate.getTime()) / 2;
}

export async function readPair(folder: string, name: string): Promise<KeyPair | null> {
  const key = await readTextIfThere(join(folder, `${name}-key.pem`));
  const cert = await readTextIfThere(join(folder, `${name}.pem`));
  return key === null || cert === null ? null : { key, cert };
}

export async function writePair(folder: string, name: string, { key, cert }: KeyPair): Promise<void> {
  await writeFileAtomic(join(folder, `${name}-key.pem`), key, { mode: 0o600 });
  await writeFileAtomic(join(folder, `${name}.pem`), cert, { mode: 0o600 });
}
