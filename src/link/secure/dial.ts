import type { KeyObject } from "node:crypto";
import tls from "node:tls";
import { keyPem } from "#host/x509/make-certificate.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import { parseLinkAddress } from "./address.ts";
import type { Membership } from "./membership.ts";
import { alternativeNames, serverUri } from "./names.ts";

/** Reaching the server and agreeing on keys takes a few round trips; what takes this long leads nowhere. */
const connectWithinMs = 10_000;

/**
 * A connection to the server of the installation that this machine has joined, over mutual TLS 1.3.
 * @throws {DroverError} CERTIFICATE_REFUSED if who answers is not that server; the system's error if nobody does
 */
export async function dialMember(membership: Membership, key: KeyObject, signal: AbortSignal): Promise<tls.TLSSocket> {
  const { address, authority, certificate, installation } = membership;
  try {
    return await connectTls(
      address,
      {
        ca: authority,
        cert: certificate,
        key: keyPem(key),
        checkServerIdentity: (_host, { subjectaltname }) =>
          subjectaltname === alternativeNames(serverUri(installation))
            ? undefined
            : new Error(`its certificate is for ${subjectaltname ?? "nobody"} and not for the server of this installation`),
      },
      signal,
    );
  } catch (error) {
    throw refusalOf(error, address) ?? error;
  }
}

/** @throws the system's error, or that of TLS */
export function connectTls(address: string, options: tls.ConnectionOptions, signal: AbortSignal): Promise<tls.TLSSocket> {
  const { host, port } = parseLinkAddress(address);
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ ...options, host, port, servername: "", minVersion: "TLSv1.3" });
    const timer = setTimeout(() => socket.destroy(new Error(`no connection to ${address} within ${connectWithinMs} ms`)), connectWithinMs);
    const onAbort = () => socket.destroy(signal.reason instanceof Error ? signal.reason : new Error("aborted"));
    const settle = (finish: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      socket.off("error", onError);
      finish();
    };
    const onError = (error: Error) => settle(() => reject(error));
    socket.on("error", onError);
    socket.once("secureConnect", () => settle(() => resolve(socket)));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}

/** Why TLS did not take the server's certificate, in words; null if it failed for another reason. */
function refusalOf(error: unknown, address: string): DroverError | null {
  const now = new Date().toISOString();
  if (hasCode(error, "CERT_NOT_YET_VALID") || hasCode(error, "CERT_HAS_EXPIRED"))
    return new DroverError(
      "CERTIFICATE_REFUSED",
      `the server's certificate at ${address} is not valid at ${now}, the time of this machine`,
      {
        cause: error,
        hint: "Set the clocks of both machines right; the links need them to agree to within a day.",
      },
    );
  const isOfAnother = [
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "SELF_SIGNED_CERT_IN_CHAIN",
    "CERT_SIGNATURE_FAILURE",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  ];
  if (isOfAnother.some((code) => hasCode(error, code)))
    return new DroverError("CERTIFICATE_REFUSED", `who answers at ${address} is certified by another authority than the server's`, {
      cause: error,
      hint: "Another program or another Drover listens there. If the server was made anew, join it anew with a token of its own.",
    });
  return null;
}
