import { createPublicKey, sign, type X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { DroverError, fromErrorBody } from "#model/errors.ts";
import { type JoinAnswer, type JoinRequest, linkVersion } from "#model/link.ts";
import { isRecord, isText } from "#model/shape.ts";
import { readGreeting } from "../handshake.ts";
import { connectTls } from "./dial.ts";
import { parseJoinToken } from "./join-token.ts";
import { type Membership, openLinkKey, requireOwn, writeMembership } from "./membership.ts";
import { alternativeNames, keyDigest, proofText, serverUri } from "./names.ts";

export interface JoinOptions {
  /** Where the machine keeps what it joins with. */
  readonly folder: string;
  /** `HOST:PORT` of the server's links. */
  readonly address: string;
  readonly token: string;
  /** The name to join under; null: the token's. */
  readonly machine: string | null;
}

/**
 * Makes this machine a member: shows the token to the server that it is of, and keeps the certificate that comes back for the machine's own key.
 * The token is not sent before the server has shown that it has the authority that the token names.
 * @throws {DroverError} JOIN_REFUSED, CERTIFICATE_REFUSED, VERSION_MISMATCH; the system's error if nobody answers
 */
export async function joinServer({ folder, address, token: text, machine: named }: JoinOptions, signal: AbortSignal): Promise<Membership> {
  const token = parseJoinToken(text);
  const machine = named ?? token.machine;
  // On disk before it is certified: a machine that dies in between asks again with the same key, and gets the same answer.
  const key = await openLinkKey(folder);
  const socket = await connectTls(address, { rejectUnauthorized: false }, signal);
  // Whoever waits for the answer hears of it; this keeps it from ending the process once nobody waits any more.
  socket.on("error", () => undefined);
  try {
    const { authority, names } = requireAuthority(socket, token.authority, address);
    const publicKey = createPublicKey(key).export({ type: "spki", format: "der" }).toString("base64");
    const proof = sign("sha256", proofText(socket, machine, publicKey), key).toString("base64");
    const request: JoinRequest = { drover: "join", version: linkVersion, token: text, machine, publicKey, proof };
    socket.write(`${JSON.stringify(request)}\n`);
    const answer = parseAnswer(await readGreeting(socket, signal));
    if (answer === null)
      throw new DroverError("VERSION_MISMATCH", `the server at ${address} answers in a way that this program does not know`);
    if (answer.drover === "refused") throw fromErrorBody(answer);
    const { installation, certificate } = answer;
    if (names !== alternativeNames(serverUri(installation)))
      throw new DroverError("CERTIFICATE_REFUSED", `who answers at ${address} is not the server of installation ${installation}`);
    const membership = { address, machine, installation, token: token.id, certificate, authority: authority.toString() };
    requireOwn(certificate, membership, key);
    await writeMembership(folder, membership);
    return membership;
  } finally {
    socket.destroy();
  }
}

interface Shown {
  readonly authority: X509Certificate;
  readonly names: string;
}

/** The authority that has certified the other end, if it is the one with this digest, and what the other end is certified as. @throws {DroverError} CERTIFICATE_REFUSED */
function requireAuthority(socket: TLSSocket, digest: string, address: string): Shown {
  const leaf = socket.getPeerX509Certificate();
  const authority = leaf?.issuerCertificate;
  if (
    leaf !== undefined &&
    authority !== undefined &&
    keyDigest(authority.publicKey) === digest &&
    leaf.verify(authority.publicKey) &&
    leaf.checkIssued(authority) &&
    // Of the names on it, only that it is a server's is known to be right by now.
    /^URI:spiffe:\/\/[^/]+\/server$/.test(leaf.subjectAltName ?? "")
  )
    return { authority, names: leaf.subjectAltName ?? "" };
  throw new DroverError("CERTIFICATE_REFUSED", `who answers at ${address} is not the server that the token is of`, {
    hint: 'Use the address that "drover machine token" shows. Your token was not sent.',
  });
}

function parseAnswer(value: unknown): JoinAnswer | null {
  if (!isRecord(value)) return null;
  const { drover, version, installation, certificate, authority, code, message, hint } = value;
  if (drover === "refused" && isText(code, 64) && isText(message) && isText(hint)) return { drover, code, message, hint };
  if (drover !== "joined" || typeof version !== "number") return null;
  if (!isText(installation, 64) || !isText(certificate, 16_384) || !isText(authority, 16_384)) return null;
  return { drover, version, installation, certificate, authority };
}
