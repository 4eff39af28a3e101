import { createPrivateKey, webcrypto, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { join } from "node:path";
// The certificate library finds its parts through this, and leaves bringing it along to whoever uses it.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import type { Clock } from "#model/clock.ts";

const dayMs = 86_400_000;
/** The root outlives any installation's patience for handing it out anew; what it signs is short-lived. */
const rootMs = 10 * 365 * dayMs;
/** A leaf is renewed at half of its life, so a server that was off for weeks still starts with a valid one. */
const leafMs = 30 * dayMs;
/** Clocks of clients may be behind ours. */
const backdateMs = 3_600_000;
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

export interface TlsMaterial {
  readonly key: string;
  readonly cert: string;
}

interface Authority extends TlsMaterial {
  readonly certificate: x509.X509Certificate;
  readonly privateKey: webcrypto.CryptoKey;
}

/**
 * A certificate for `hosts` (names and addresses, besides the loopback ones) from Drover's own authority, which is made at first use.
 * Keys are below `folder` with mode 0600; `ca.pem` is what clients need to trust.
 */
export async function ownTls(folder: string, hosts: readonly string[], clock: Clock): Promise<TlsMaterial> {
  x509.cryptoProvider.set(globalThis.crypto);
  const authority = await openAuthority(folder, clock);
  const names = [...new Set(["localhost", "127.0.0.1", "::1", ...hosts])];
  const kept = await readPair(folder, "api");
  if (kept !== null && isGood(kept, authority, names, clock)) return kept;
  const pair = await makeLeaf(authority, names, clock);
  await writePair(folder, "api", pair);
  return pair;
}

/**
 * Milliseconds until `cert` should be renewed: half of its life, at least a minute.
 * @public loaded with the whole module by `main.ts`, which the search for dead code does not follow
 */
export function renewalInMs({ cert }: TlsMaterial, clock: Clock): number {
  const { validFromDate, validToDate } = new X509Certificate(cert);
  const half = (validFromDate.getTime() + validToDate.getTime()) / 2;
  return Math.max(60_000, half - clock.nowMs());
}

async function openAuthority(folder: string, clock: Clock): Promise<Authority> {
  const kept = await readPair(folder, "ca");
  if (kept !== null) return readAuthority(kept);
  const keys = await newKeys();
  const nowMs = clock.nowMs();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=Drover",
    notBefore: new Date(nowMs - backdateMs),
    notAfter: new Date(nowMs + rootMs),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const pair = { key: await exportKey(keys.privateKey), cert: certificate.toString("pem") };
  await writePair(folder, "ca", pair);
  return { ...pair, certificate, privateKey: keys.privateKey };
}

async function readAuthority(pair: TlsMaterial): Promise<Authority> {
  const der = createPrivateKey(pair.key).export({ type: "pkcs8", format: "der" });
  const privateKey = await webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
  return { ...pair, certificate: new x509.X509Certificate(pair.cert), privateKey };
}

async function makeLeaf(authority: Authority, names: readonly string[], clock: Clock): Promise<TlsMaterial> {
  const keys = await newKeys();
  const nowMs = clock.nowMs();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: "CN=Drover API",
    issuer: authority.certificate.subject,
    notBefore: new Date(nowMs - backdateMs),
    notAfter: new Date(nowMs + leafMs),
    publicKey: keys.publicKey,
    signingKey: authority.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth], true),
      new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: isIP(value) === 0 ? "dns" : "ip", value }))),
      await x509.AuthorityKeyIdentifierExtension.create(authority.certificate),
    ],
  });
  return { key: await exportKey(keys.privateKey), cert: certificate.toString("pem") };
}

function isGood({ cert }: TlsMaterial, authority: Authority, names: readonly string[], clock: Clock): boolean {
  const leaf = new X509Certificate(cert);
  const root = new X509Certificate(authority.cert);
  const isYoung = clock.nowMs() < (leaf.validFromDate.getTime() + leaf.validToDate.getTime()) / 2;
  const covers = names.every((name) => (isIP(name) === 0 ? leaf.checkHost(name) : leaf.checkIP(name)) !== undefined);
  return isYoung && covers && leaf.verify(root.publicKey);
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]) as Promise<webcrypto.CryptoKeyPair>;
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key)).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${(der.match(/.{1,64}/g) ?? []).join("\n")}\n-----END PRIVATE KEY-----\n`;
}

async function readPair(folder: string, name: string): Promise<TlsMaterial | null> {
  const key = await readTextIfThere(join(folder, `${name}-key.pem`));
  const cert = await readTextIfThere(join(folder, `${name}.pem`));
  return key === null || cert === null ? null : { key, cert };
}

async function writePair(folder: string, name: string, { key, cert }: TlsMaterial): Promise<void> {
  await writeFileAtomic(join(folder, `${name}-key.pem`), key, { mode: 0o600 });
  await writeFileAtomic(join(folder, `${name}.pem`), cert, { mode: 0o600 });
}
