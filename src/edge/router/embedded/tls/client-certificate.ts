import { createHash } from "node:crypto";
import type tls from "node:tls";

/** Which clients may come to a host: those with a certificate of `caPem` that `crlPem` does not revoke. */
export interface ClientPolicy {
  /** Equal where the policies are. */
  readonly key: string;
  readonly caPem: string;
  readonly crlPem?: string;
}

export function clientPolicy({ caPem, crlPem }: { readonly caPem: string; readonly crlPem?: string }): ClientPolicy {
  const key = createHash("sha256")
    .update(JSON.stringify([caPem, crlPem ?? null]))
    .digest("base64url")
    .slice(0, 32); // OpenSSL takes at most 32 bytes for the name of a session's context.
  return { key, caPem, ...(crlPem === undefined ? {} : { crlPem }) };
}

/** What a client showed. */
export interface ClientCertificate {
  readonly policy: ClientPolicy;
  /** Why it may not come; null if it may. */
  readonly refusal: string | null;
  /** Header lines for the app, each with its CRLF; empty without a certificate that is trusted. */
  readonly lines: string;
}

export function clientCertificateOf(socket: tls.TLSSocket, policy: ClientPolicy): ClientCertificate {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return { policy, refusal: "the client showed no certificate", lines: "" };
  if (!socket.authorized) {
    const error: unknown = socket.authorizationError;
    return {
      policy,
      refusal: `the client's certificate is not accepted: ${error instanceof Error ? error.message : String(error)}`,
      lines: "",
    };
  }
  const fields = {
    "x-client-cert-subject": certificate.subject?.split("\n").join(",") ?? "",
    "x-client-cert-issuer": certificate.issuer?.split("\n").join(",") ?? "",
    "x-client-cert-serial": certificate.serialNumber,
    "x-client-cert-fingerprint": certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${headerText(value)}\r\n`);
  return { policy, refusal: null, lines: lines.join("") };
}

/** A name may hold any character: what is not printable ASCII is percent-encoded, so that it can neither end the line nor be read in two ways. */
function headerText(value: string): string {
  return value.replace(/[^\x20-\x24\x26-\x7e]/gu, (character) => encodeURIComponent(character.isWellFormed() ? character : "\ufffd"));
}
