import { createHash, createPublicKey, generateKeyPair, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIP } from "node:net";
import { promisify } from "node:util";
import { bits, boolean, integer, objectId, octets, pem, sequence, set, tagged, time, utf8 } from "./der.ts";

/** A certificate and its key, both PEM. */
export interface KeyPair {
  readonly key: string;
  readonly cert: string;
}

export interface Issuer {
  /** PEM; only its subject's name and its key matter. */
  readonly name: string;
  readonly key: KeyObject;
}

export interface CertificateRequest {
  /** Common name, for people. */
  readonly name: string;
  /** Whom it is for: of another's key the public half is enough. */
  readonly key: KeyObject;
  /** Who signs; left out, the certificate signs itself. */
  readonly issuer?: Issuer;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** An authority signs certificates and nothing else; the others are for these names and addresses. */
  readonly use:
    | { readonly kind: "authority" }
    | { readonly kind: "server" | "client"; readonly hosts: readonly string[] }
    /** Either end of what machines send each other: known by this one name. */
    | { readonly kind: "machine"; readonly host: string }
    /** An end of a link between machines: known by this URI and by no host's name. */
    | { readonly kind: "link-server" | "link-client"; readonly uri: string }
    /** Shows an authority that we have the host (RFC 8737). */
    | { readonly kind: "challenge"; readonly host: string; readonly digest: Uint8Array };
}

const ids = {
  commonName: "2.5.4.3",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  basicConstraints: "2.5.29.19",
  keyUsage: "2.5.29.15",
  extendedKeyUsage: "2.5.29.37",
  subjectKey: "2.5.29.14",
  authorityKey: "2.5.29.35",
  subjectNames: "2.5.29.17",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
  extensionRequest: "1.2.840.113549.1.9.14",
  acmeIdentifier: "1.3.6.1.5.5.7.1.31",
} as const;
const algorithm = sequence(objectId(ids.ecdsaWithSha256));
const newKeyPair = promisify(generateKeyPair);

export async function newKey(): Promise<KeyObject> {
  return (await newKeyPair("ec", { namedCurve: "P-256" })).privateKey;
}

export function keyPem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

/** An X.509 certificate (RFC 5280) for a P-256 key, signed with ECDSA and SHA-256, as PEM. */
export function makeCertificate({ name, key, issuer = { name, key }, notBeforeMs, notAfterMs, use }: CertificateRequest): string {
  const body = sequence(
    tagged(0xa0, integer(2)), // Version 3.
    // 128 bits of chance, so that no two are alike, whoever else signs in our name.
    integer(randomBytes(16)),
    algorithm,
    distinguishedName(issuer.name),
    sequence(time(notBeforeMs), time(notAfterMs)),
    distinguishedName(name),
    publicKey(key),
    tagged(0xa3, sequence(...extensions(use, key, issuer.key))),
  );
  return pem("CERTIFICATE", signed(body, issuer.key));
}

/** A request for a certificate (PKCS #10, RFC 2986) for these names, as DER. */
export function makeSigningRequest(key: KeyObject, hosts: readonly string[]): Buffer {
  const attributes = tagged(0xa0, sequence(objectId(ids.extensionRequest), set(sequence(subjectNames(hosts)))));
  return signed(sequence(integer(0), distinguishedName(""), publicKey(key), attributes), key);
}

function signed(body: Buffer, key: KeyObject): Buffer {
  return sequence(body, algorithm, bits(sign("sha256", body, { key, dsaEncoding: "der" })));
}

function distinguishedName(name: string): Buffer {
  return name === "" ? sequence() : sequence(set(sequence(objectId(ids.commonName), utf8(name))));
}

function publicKey(key: KeyObject): Buffer {
  return (key.type === "public" ? key : createPublicKey(key)).export({ type: "spki", format: "der" });
}

function extensions(use: CertificateRequest["use"], key: KeyObject, issuerKey: KeyObject): readonly Buffer[] {
  const constraint = use.kind === "authority" ? sequence(boolean(true), integer(0)) : sequence();
  const shared = [
    extension(ids.basicConstraints, true, constraint),
    // keyCertSign and cRLSign, or digitalSignature.
    extension(ids.keyUsage, true, use.kind === "authority" ? bits(Buffer.from([0x06]), 1) : bits(Buffer.from([0x80]), 7)),
    extension(ids.subjectKey, false, octets(keyId(key))),
    extension(ids.authorityKey, false, sequence(tagged(0x80, keyId(issuerKey)))),
  ];
  switch (use.kind) {
    case "authority":
      return shared;
    case "challenge":
      return [...shared, subjectNames([use.host]), extension(ids.acmeIdentifier, true, octets(use.digest))];
    case "server":
    case "client": {
      const purpose = extension(ids.extendedKeyUsage, false, sequence(objectId(use.kind === "server" ? ids.serverAuth : ids.clientAuth)));
      return use.hosts.length === 0 ? [...shared, purpose] : [...shared, purpose, subjectNames(use.hosts)];
    }
    case "machine": {
      const purposes = extension(ids.extendedKeyUsage, false, sequence(objectId(ids.serverAuth), objectId(ids.clientAuth)));
      return [...shared, purposes, subjectNames([use.host])];
    }
    case "link-server":
    case "link-client": {
      const purpose = objectId(use.kind === "link-server" ? ids.serverAuth : ids.clientAuth);
      const name = tagged(0x86, Buffer.from(use.uri, "ascii"));
      return [...shared, extension(ids.extendedKeyUsage, false, sequence(purpose)), extension(ids.subjectNames, false, sequence(name))];
    }
    default:
      return use satisfies never;
  }
}

function subjectNames(hosts: readonly string[]): Buffer {
  const names = hosts.map((host) => (isIP(host) === 0 ? tagged(0x82, Buffer.from(host, "ascii")) : tagged(0x87, addressBytes(host))));
  return extension(ids.subjectNames, false, sequence(...names));
}

function extension(id: string, isCritical: boolean, value: Buffer): Buffer {
  return sequence(objectId(id), ...(isCritical ? [boolean(true)] : []), octets(value));
}

/** RFC 5280, section 4.2.1.2: a digest of the key's own bits, which end its SubjectPublicKeyInfo. */
function keyId(key: KeyObject): Buffer {
  const point = publicKey(key).subarray(-65);
  return createHash("sha1").update(point).digest();
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split(".").map(Number));
  // The URL parser writes an IPv6 address in its shortest form, of plain groups.
  const [left = "", right = ""] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const zeros = Array<string>(8 - groups(left).length - groups(right).length).fill("0");
  return Buffer.from([...groups(left), ...zeros, ...groups(right)].map((group) => group.padStart(4, "0")).join(""), "hex");
}
