import type { RouteTls } from "#model/routing-table.ts";
import type { CanonicalHost } from "../http/host.ts";
import type { Page } from "../pages.ts";
import type { ClientPolicy } from "./client-certificate.ts";
import type { Security } from "./security.ts";

/** What a route asks of the connections that its requests come over. Null for most routes: then there is nothing to look at. */
export interface RouteGuard {
  /** Plain requests are sent on to HTTPS at this port; null: they are served. */
  readonly redirectPort: number | null;
  readonly refusesTls: boolean;
  readonly client: ClientPolicy | null;
  /** Header lines of answers over TLS. */
  readonly answerLines: string;
}

export interface GuardInput {
  readonly tls: RouteTls | undefined;
  readonly client: ClientPolicy | null;
  /** Whether browsers trust the host's certificate; null if there is none. */
  readonly isTrusted: boolean | null;
  /** Of the TLS port; null while it is not open. */
  readonly port: number | null;
}

export function routeGuard({ tls, client, isTrusted, port }: GuardInput): RouteGuard | null {
  // What only clients with a certificate may see is never served without TLS.
  const mode = client !== null ? "redirect" : (tls?.mode ?? (isTrusted === true ? "redirect" : "both"));
  const redirectPort = mode === "redirect" && ((port !== null && isTrusted !== null) || client !== null) ? (port ?? 443) : null;
  const hstsMs = tls?.hstsMs ?? 0;
  const answerLines = hstsMs > 0 ? `strict-transport-security: max-age=${Math.floor(hstsMs / 1_000)}\r\n` : "";
  if (redirectPort === null && mode !== "off" && client === null && answerLines === "") return null;
  return { redirectPort, refusesTls: mode === "off", client, answerLines };
}

/** Whether a request may not be served on the connection that it came over (RFC 9110, section 15.5.20). */
export function isMisdirected(host: CanonicalHost, security: Security): boolean {
  return host.name !== security.serverName && !security.covers(host.name);
}

export function misdirected({ header }: CanonicalHost): Page {
  return { status: 421, message: `this connection is not for "${header}"` };
}

/** The answer in place of the app's; null if the request may go on. */
export function guardPage(guard: RouteGuard, security: Security | null, host: CanonicalHost, target: string): Page | null {
  if (security === null) {
    if (guard.redirectPort === null) return null;
    const port = guard.redirectPort === 443 ? "" : `:${guard.redirectPort}`;
    return { status: 308, message: "this is served over HTTPS", headers: { location: `https://${host.name}${port}${target}` } };
  }
  if (guard.refusesTls) return { status: 421, message: `"${host.header}" is served over plain HTTP alone` };
  if (guard.client === null) return null;
  // A connection that was opened for a host with other rules, or before these were made.
  if (security.client?.policy.key !== guard.client.key) return misdirected(host);
  return security.client.refusal === null ? null : { status: 403, message: security.client.refusal };
}
