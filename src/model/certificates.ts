/** What an edge needs for TLS beside its table. Private keys are among it: it travels over the link alone, and is kept in files for the edge's user. */

/** A certificate with its key, for names that no other certificate of the edge has. */
export interface EdgeCertificate {
  /** Stays when the certificate is renewed. */
  readonly id: string;
  /** Host names in lower case; `*.` in front stands for any one label. */
  readonly hosts: readonly string[];
  /** PEM, the leaf first. */
  readonly chain: string;
  /** PEM, PKCS #8. */
  readonly key: string;
  /** Whether browsers trust it: then plain HTTP is sent on to HTTPS, unless the route says otherwise. */
  readonly isTrusted: boolean;
}

/** An answer to an authority that wants to see that a name is ours (RFC 8555, section 8). */
export type AcmeChallenge =
  /** Plain HTTP, at `/.well-known/acme-challenge/<token>`. */
  | { readonly kind: "http-01"; readonly host: string; readonly token: string; readonly content: string }
  /** TLS with the protocol `acme-tls/1` (RFC 8737). */
  | { readonly kind: "tls-alpn-01"; readonly host: string; readonly chain: string; readonly key: string };

/**
 * How edges carry traffic between machines: over mutual TLS, where each is known by one name that Drover's authority of machines has certified. A
 * name is good for one joining of a machine: who was removed and joins anew has another.
 */
export interface MachineIdentity {
  readonly name: string;
  /** All PEM; the key is PKCS #8. */
  readonly chain: string;
  readonly key: string;
  readonly authority: string;
  /** Where this machine takes what others send. */
  readonly entry: { readonly host: string; readonly port: number };
  /** The names of all that may send something, and to which something may be sent. */
  readonly members: readonly string[];
}

/** What changes between two states of an edge's certificates. A certificate in `set` replaces the one with its id. */
export interface CertificateChange {
  readonly set: readonly EdgeCertificate[];
  readonly remove: readonly string[];
  /** All that there are; left out, they stay as they are. */
  readonly challenges?: readonly AcmeChallenge[];
  /** 48 bytes in base64 under which sessions are sealed, the same at every edge and worker; left out, they stay as they are. */
  readonly ticketKeys?: string;
  /** Null: traffic between machines is plain. Left out, it stays as it is. */
  readonly identity?: MachineIdentity | null;
}

/** What an edge has, by digest, so that only what differs is sent. */
export interface CertificateDigests {
  readonly certificates: Readonly<Record<string, string>>;
  readonly challenges: string;
  readonly ticketKeys: string;
  /** Left out by edges that are too old to have one. */
  readonly identity?: string;
}

/** Where a certificate is from: Drover's own authority, an authority that speaks ACME, or a file that somebody gave. */
export type CertificateOrigin = "own" | "acme" | "file";

/** What can be said of a certificate without its key. */
export interface CertificateFacts {
  /** `own/shop.localhost`, `acme/shop.example.com`, `file/<name>`. */
  readonly id: string;
  readonly origin: CertificateOrigin;
  readonly hosts: readonly string[];
  readonly issuer: string;
  /** SHA-256 of the leaf, in hexadecimal. */
  readonly fingerprint: string;
  /** Epoch milliseconds. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Whether a certificate's name is for the host: the same, or `*.` in place of the host's first label. */
export function coversHost(name: string, host: string): boolean {
  return name === host || (name.startsWith("*.") && !host.startsWith("*") && host.slice(host.indexOf(".")) === name.slice(1));
}

/**
 * Whether an authority of the public could see that the host is ours: not a name that never leaves a machine or network (RFC 6761, RFC 6762,
 * RFC 8375, and `.internal`), nor one without a dot.
 */
export function isPublicHost(host: string): boolean {
  return host.includes(".") && !/(?:^|\.)(?:localhost|local|test|invalid|example|internal|home\.arpa|drover)$/.test(host);
}
