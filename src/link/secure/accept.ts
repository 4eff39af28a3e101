import { createPublicKey, type KeyObject, verify, type X509Certificate } from "node:crypto";
import type { Server, TLSSocket } from "node:tls";
import { DroverError } from "#model/errors.ts";
import { type JoinAnswer, type JoinRequest, linkVersion } from "#model/link.ts";
import { isCount, isRecord, isText } from "#model/shape.ts";
import { type GreetOptions, refuse, requireVersion, welcome } from "../accept.ts";
import type { Link } from "../caller.ts";
import { readGreeting } from "../handshake.ts";
import { alternativeNames, keyDigest, machineUri, proofText } from "./names.ts";

/** Connections that have not greeted yet: strangers can open them, each for at most five seconds. */
const mostUngreeted = 256;

/** What a machine that asks to join has shown: it holds `key`, and `token`. */
export interface JoinProof {
  readonly machine: string;
  readonly key: KeyObject;
  readonly token: string;
}

export interface AcceptSecureOptions extends Omit<GreetOptions, "onLink"> {
  /** Asks its clients for certificates and leaves it to us what to make of them. */
  readonly listener: Server;
  readonly onLink: (link: Link, certificate: X509Certificate) => void;
  /** Whether the machine is a member, with the key of this digest. */
  readonly isMember: (machine: string, key: string) => boolean;
  /** A certificate for a machine that may join. @throws {DroverError} JOIN_REFUSED */
  readonly join: (proof: JoinProof) => Promise<{ readonly certificate: string; readonly authority: string }>;
}

/** As `acceptLinks`, for other machines: by their certificates, or by a token with which they get one. Stops when the signal aborts. */
export function acceptSecureLinks(options: AcceptSecureOptions, signal: AbortSignal): void {
  const { listener, log } = options;
  let ungreeted = 0;
  const onConnection = async (socket: TLSSocket) => {
    socket.on("error", (error) => log.debug("link connection failed", { error: error.message, from: socket.remoteAddress ?? "" }));
    if (ungreeted >= mostUngreeted) {
      socket.destroy();
      return;
    }
    ungreeted++;
    try {
      const greeting = await readGreeting(socket, signal);
      if (isRecord(greeting) && greeting["drover"] === "join") await answerJoin(socket, greeting, options);
      else await link(socket, greeting, options);
    } catch (error) {
      refuse(socket, error, log);
    } finally {
      ungreeted--;
    }
  };
  const onSecure = (socket: TLSSocket) => void onConnection(socket);
  const onFailed = (error: Error) => log.debug("link connection failed", { error: error.message });
  listener.on("secureConnection", onSecure);
  listener.on("tlsClientError", onFailed);
  const stop = () => {
    listener.off("secureConnection", onSecure);
    listener.off("tlsClientError", onFailed);
  };
  signal.addEventListener("abort", stop, { once: true });
}

async function link(socket: TLSSocket, greeting: unknown, options: AcceptSecureOptions): Promise<void> {
  const { installation, isMember, onLink } = options;
  const certificate = requireCertificate(socket);
  await welcome(socket, greeting, {
    ...options,
    isRemote: true,
    // What it says of itself counts for nothing: it is who its certificate says.
    vouch: ({ machine, role }) => {
      if (certificate.subjectAltName !== alternativeNames(machineUri(installation, machine)))
        throw new DroverError("CERTIFICATE_REFUSED", `the ${role} says that it is of "${machine}", its certificate says otherwise`, {
          hint: "Each machine has a certificate of its own: join this one with a token for its name.",
        });
      if (!isMember(machine, keyDigest(certificate.publicKey)))
        throw new DroverError("CERTIFICATE_REFUSED", `"${machine}" is no member any more, or has joined anew with another key`, {
          hint: `Make a token with "drover machine token ${machine}" and join it anew.`,
        });
    },
    onLink: (linked) => onLink(linked, certificate),
  });
}

/** @throws {DroverError} CERTIFICATE_REFUSED if there is none, or not one of ours that is valid now */
function requireCertificate(socket: TLSSocket): X509Certificate {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined)
    throw new DroverError("CERTIFICATE_REFUSED", "the machine shows no certificate", {
      hint: 'It has not joined: make a token with "drover machine token NAME".',
    });
  if (socket.authorized) return certificate;
  const problem = String(socket.authorizationError);
  const isOfTime = problem === "CERT_HAS_EXPIRED" || problem === "CERT_NOT_YET_VALID";
  throw new DroverError(
    "CERTIFICATE_REFUSED",
    isOfTime
      ? `the machine's certificate is valid from ${certificate.validFrom} to ${certificate.validTo}, and not now, at ${new Date().toISOString()}`
      : `the machine's certificate is not of this server's authority (${problem})`,
    {
      hint: isOfTime
        ? "If the clocks of both machines are right, it was away for too long: join it anew with a token."
        : "It belongs to another Drover: join it to this one with a token, and a home folder of its own.",
    },
  );
}

async function answerJoin(socket: TLSSocket, greeting: Readonly<Record<string, unknown>>, options: AcceptSecureOptions): Promise<void> {
  const request = readJoin(greeting);
  requireVersion("machine", request.version);
  const { machine, token, publicKey } = request;
  const key = readKey(publicKey);
  if (!verify("sha256", proofText(socket, machine, publicKey), key, Buffer.from(request.proof, "base64")))
    throw new DroverError("JOIN_REFUSED", `"${machine}" has not shown that the key that it asks a certificate for is its own`);
  const joined = await options.join({ machine, key, token });
  const answer: JoinAnswer = { drover: "joined", version: linkVersion, installation: options.installation, ...joined };
  options.log.info("machine joined", { machine, from: socket.remoteAddress ?? "" });
  socket.end(`${JSON.stringify(answer)}\n`);
}

/** @throws {DroverError} REQUEST_INVALID */
function readJoin(value: Readonly<Record<string, unknown>>): JoinRequest {
  const { version, token, machine, publicKey, proof } = value;
  if (isCount(version) && isText(token, 512) && isText(machine, 64) && isText(publicKey, 1_024) && isText(proof, 1_024))
    return { drover: "join", version, token, machine, publicKey, proof };
  throw new DroverError("REQUEST_INVALID", "the request to join does not fit", { hint: "The two programs are of different versions." });
}

function readKey(publicKey: string): KeyObject {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey, "base64"), format: "der", type: "spki" });
    if (key.asymmetricKeyDetails?.namedCurve === "prime256v1") return key;
  } catch (cause) {
    throw new DroverError("REQUEST_INVALID", "the key in the request to join cannot be read", { cause });
  }
  throw new DroverError("REQUEST_INVALID", "the key in the request to join is not one of P-256");
}
