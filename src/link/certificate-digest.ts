import { createHash } from "node:crypto";
import type { AcmeChallenge, CertificateChange, CertificateDigests, EdgeCertificate, MachineIdentity } from "#model/certificates.ts";

/** What server and edge compare to find out which certificates differ, without sending any. */
export function digestsOf({ set, challenges = [], ticketKeys = "", identity = null }: CertificateChange): CertificateDigests {
  return {
    certificates: Object.fromEntries(set.map((certificate) => [certificate.id, digestOf(certificateText(certificate))])),
    challenges: digestOf(challenges.map(challengeText).join("\n")),
    ticketKeys: digestOf(ticketKeys),
    identity: digestOf(identityText(identity)),
  };
}

function certificateText({ id, hosts, chain, key, isTrusted }: EdgeCertificate): string {
  return JSON.stringify([id, hosts, chain, key, isTrusted]);
}

function challengeText(challenge: AcmeChallenge): string {
  const { kind, host } = challenge;
  return JSON.stringify(kind === "http-01" ? [kind, host, challenge.token, challenge.content] : [kind, host, challenge.chain]);
}

function identityText(identity: MachineIdentity | null): string {
  if (identity === null) return "";
  const { name, chain, key, authority, entry, members } = identity;
  return JSON.stringify([name, chain, key, authority, entry.host, entry.port, members]);
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
