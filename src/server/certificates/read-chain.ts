import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { CertificateFacts, CertificateOrigin } from "#model/certificates.ts";
import { DroverError } from "#model/errors.ts";

/** More is no chain but a bundle of authorities. */
const longestChain = 10;
const weakestRsaBits = 2_048;
const hostPattern = /^(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** A chain that was checked: leaf first, each signed by the next. */
export interface Chain {
  readonly leaf: X509Certificate;
  /** PEM, leaf first, nothing but certificates. */
  readonly text: string;
  readonly hosts: readonly string[];
}

/** @throws {DroverError} CERTIFICATE_INVALID, with what is wrong. */
export function readChain(text: string): Chain {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0 || blocks.length > longestChain)
    throw invalid(
      `it holds ${blocks.length} certificates in PEM`,
      `Give the certificate and after it those of its chain, at most ${longestChain}.`,
    );
  const chain = blocks.map((block, i) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw invalid(`certificate ${i + 1} of its chain cannot be read`, "Export it again as PEM.", error);
    }
  });
  const [leaf] = chain;
  if (leaf === undefined) throw new Error("a chain of none passed the check above");
  for (const [i, certificate] of chain.entries()) {
    const issuer = chain[i + 1];
    if (issuer !== undefined && !certificate.verify(issuer.publicKey))
      throw invalid(
        `certificate ${i + 2} of its chain has not signed certificate ${i + 1}`,
        "Put the certificate first and after each the one that signed it.",
      );
  }
  if (leaf.ca) throw invalid("its first certificate is an authority's", "Put the certificate for the hosts first.");
  const hosts = hostsOf(leaf);
  if (hosts.length === 0) throw invalid("it is for no host name", "Browsers look at the subject's alternative names (SAN) alone.");
  return { leaf, text: `${blocks.map((block) => block.trim()).join("\n")}\n`, hosts };
}

/** The key of the leaf. @throws {DroverError} CERTIFICATE_INVALID */
export function readKey(text: string, { leaf }: Chain): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(text);
  } catch (error) {
    // Not the cause itself: OpenSSL might quote what it read.
    const isLocked = /ENCRYPTED/.test(text);
    throw invalid(
      isLocked ? "its key needs a passphrase" : "its key cannot be read",
      "Give the key as PEM, without a passphrase.",
      isLocked ? undefined : error,
    );
  }
  if (!leaf.checkPrivateKey(key)) throw invalid("the key is not the certificate's", "Give the key that the certificate was made for.");
  const { asymmetricKeyType, asymmetricKeyDetails } = key;
  if (asymmetricKeyType === "rsa" && (asymmetricKeyDetails?.modulusLength ?? 0) < weakestRsaBits)
    throw invalid(`its RSA key has only ${asymmetricKeyDetails?.modulusLength} bits`, "Make a new key, best of the kind P-256.");
  return key;
}

export function factsOf(id: string, origin: CertificateOrigin, { leaf, hosts }: Chain): CertificateFacts {
  return {
    id,
    origin,
    hosts,
    issuer: leaf.issuer.split("\n").join(", "),
    fingerprint: leaf.fingerprint256.replaceAll(":", "").toLowerCase(),
    notBeforeMs: leaf.validFromDate.getTime(),
    notAfterMs: leaf.validToDate.getTime(),
  };
}

function hostsOf(leaf: X509Certificate): readonly string[] {
  // Node quotes names that hold commas or quotes; no host name does, so these are passed over with everything else that is none.
  const names = (leaf.subjectAltName ?? "").split(", ").flatMap((name) => (name.startsWith("DNS:") ? [name.slice(4).toLowerCase()] : []));
  return [...new Set(names)].filter((name) => hostPattern.test(name));
}

function invalid(message: string, hint: string, cause?: unknown): DroverError {
  return new DroverError("CERTIFICATE_INVALID", `the certificate cannot be used: ${message}`, {
    hint,
    ...(cause === undefined ? {} : { cause }),
  });
}
