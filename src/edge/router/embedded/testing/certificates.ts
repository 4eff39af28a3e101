import type { KeyObject } from "node:crypto";
import { type CertificateRequest, keyPem, makeCertificate, newKey } from "#host/x509/make-certificate.ts";
import type { EdgeCertificate } from "#model/certificates.ts";

const dayMs = 86_400_000;

/** An authority for a test. */
export interface TestAuthority {
  readonly cert: string;
  readonly key: KeyObject;
  issue(use: CertificateRequest["use"], name?: string): Promise<{ readonly cert: string; readonly key: string }>;
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
  };
}

/** As the server sends it. */
export async function edgeCertificate(authority: TestAuthority, hosts: readonly string[], isTrusted = false): Promise<EdgeCertificate> {
  const { cert, key } = await authority.issue({ kind: "server", hosts });
  return { id: `own/${hosts[0]}`, hosts, chain: cert, key, isTrusted };
}
