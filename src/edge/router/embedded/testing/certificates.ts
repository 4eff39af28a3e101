import { type KeyObject, sign, X509Certificate } from "node:crypto";
import { bits, integer, objectId, pem, sequence, set, time, utf8 } from "#host/x509/der.ts";
import { type CertificateRequest, keyPem, makeCertificate, newKey } from "#host/x509/make-certificate.ts";
import type { EdgeCertificate } from "#model/certificates.ts";

const dayMs = 86_400_000;

/** An authority for a test. */
export interface TestAuthority {
  readonly cert: string;
  readonly key: KeyObject;
  issue(use: CertificateRequest["use"], name?: string): Promise<{ readonly cert: string; readonly key: string }>;
  /** A list of revoked certificates, PEM. @param validUntilMs default: in a day */
  revoke(certs: readonly string[], validUntilMs?: number): string;
}

export async function testAuthority(name = "Test"): Promise<TestAuthority> {
  const key = await newKey();
  const life = { notBeforeMs: Date.now() - dayMs, notAfterMs: Date.now() + dayMs };
  return {
    cert: makeCertificate({ name, key, ...life, use: { kind: "authority" } }),
    key,
    issue: async (use, subject = "leaf") => {
      const own = await newKey();
      return { key: keyPem(own), cert: makeCertificate({ name: subject, key: own, issuer: { name, key }, ...life, use }) };
    },
    revoke: (certs, validUntilMs = life.notAfterMs) => revocationList(name, key, certs, validUntilMs),
  };
}

/** As the server sends it. */
export async function edgeCertificate(authority: TestAuthority, hosts: readonly string[], isTrusted = false): Promise<EdgeCertificate> {
  const { cert, key } = await authority.issue({ kind: "server", hosts });
  return { id: `own/${hosts[0]}`, hosts, chain: cert, key, isTrusted };
}

/** RFC 5280, section 5.1. */
function revocationList(issuer: string, key: KeyObject, certs: readonly string[], validUntilMs: number): string {
  const [commonName, ecdsaWithSha256] = ["2.5.4.3", "1.2.840.10045.4.3.2"];
  const algorithm = sequence(objectId(ecdsaWithSha256));
  const revokedMs = time(Date.now() - dayMs);
  const revoked = certs.map((cert) => sequence(integer(Buffer.from(new X509Certificate(cert).serialNumber, "hex")), revokedMs));
  const list = sequence(
    integer(1), // Version 2.
    algorithm,
    sequence(set(sequence(objectId(commonName), utf8(issuer)))),
    revokedMs,
    time(validUntilMs),
    ...(revoked.length === 0 ? [] : [sequence(...revoked)]),
  );
  return pem("X509 CRL", sequence(list, algorithm, bits(sign("sha256", list, { key, dsaEncoding: "der" }))));
}
