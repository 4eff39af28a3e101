import { keyPem, makeCertificate, newKey } from "#host/x509/make-certificate.ts";

/** A certificate for 127.0.0.1 and localhost that is its own authority. */
export async function testCertificate(): Promise<{ readonly key: string; readonly cert: string }> {
  const key = await newKey();
  const nowMs = Date.now();
  const life = { notBeforeMs: nowMs - 60_000, notAfterMs: nowMs + 3_600_000 };
  return {
    key: keyPem(key),
    cert: makeCertificate({ name: "metal", key, ...life, use: { kind: "server", hosts: ["localhost", "127.0.0.1"] } }),
  };
}
