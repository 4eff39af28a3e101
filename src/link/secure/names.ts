import { createHash, type KeyObject } from "node:crypto";

/*
 * Who is who on a link between machines: each certificate has one URI (after SPIFFE's X.509-SVID) and no host's name, so that no certificate that
 * was made for anything else can be mistaken for one.
 */

export function serverUri(installation: string): string {
  return `spiffe://${installation}/server`;
}

export function machineUri(installation: string, machine: string): string {
  return `spiffe://${installation}/machine/${machine}`;
}

/** As `X509Certificate.subjectAltName` has a certificate with this URI alone. */
export function alternativeNames(uri: string): string {
  return `URI:${uri}`;
}

/** What a key is known by: SHA-256 of its public half, in hex. */
export function keyDigest(publicKey: KeyObject): string {
  return createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("hex");
}

/** For RFC 5705: both ends of one TLS connection derive the same bytes from it, and nobody else does. */
const exporterLabel = "EXPERIMENTAL drover join";

interface Exporting {
  exportKeyingMaterial(length: number, label: string, context: Buffer): Buffer;
}

/** What a machine signs to show that it has the key that it asks a certificate for: of use on this connection and for this name alone. */
export function proofText(socket: Exporting, machine: string, publicKey: string): Buffer {
  return socket.exportKeyingMaterial(32, exporterLabel, Buffer.from(JSON.stringify([machine, publicKey])));
}
