import type { RateLimit, RouteLimits, RoutePolicy, RouteTls, RouteUpstream } from "#model/routing-table.ts";
import { type Fields, flag, integer, number, object, oneOf, text, wrong } from "./read-values.ts";

/** Longest certificate or list of revoked ones in a table: enough for thousands of revocations. */
const longestPem = 1_000_000;
/** Longest address or message. */
const longestWords = 4_096;
const statuses = [301, 302, 307, 308] as const;

/** @throws {DroverError} REQUEST_INVALID, with the place that does not fit. */
export function readPolicy(value: unknown, at: string): RoutePolicy {
  const policy = object(value, at);
  const inner = <T>(key: string, read: (value: unknown, at: string) => T) => read(policy[key], `${at}.${key}`);
  return {
    ...(policy["tls"] === undefined ? {} : { tls: inner("tls", readTls) }),
    ...(policy["sticky"] === undefined ? {} : { sticky: inner("sticky", readSticky) }),
    ...(policy["limits"] === undefined ? {} : { limits: inner("limits", readLimits) }),
    ...(policy["answer"] === undefined ? {} : { answer: inner("answer", readAnswer) }),
    ...(policy["compress"] === undefined ? {} : { compress: flag(policy, "compress", at) }),
    ...(policy["logShare"] === undefined ? {} : { logShare: number(policy, "logShare", at) }),
    ...(policy["trace"] === undefined ? {} : { trace: flag(policy, "trace", at) }),
    ...(policy["upstream"] === undefined ? {} : { upstream: inner("upstream", readUpstream) }),
    ...(policy["proxyProtocol"] === undefined ? {} : { proxyProtocol: inner("proxyProtocol", readProxyProtocol) }),
  };
}

function readTls(value: unknown, at: string): RouteTls {
  const tls = object(value, at);
  return {
    ...(tls["mode"] === undefined ? {} : { mode: oneOf(tls, "mode", at, ["redirect", "both", "off"]) }),
    ...(tls["hstsMs"] === undefined ? {} : { hstsMs: number(tls, "hstsMs", at) }),
    ...(tls["client"] === undefined ? {} : { client: readClients(tls["client"], `${at}.client`) }),
  };
}

function readClients(value: unknown, at: string): NonNullable<RouteTls["client"]> {
  const client = object(value, at);
  return { caPem: text(client["caPem"], `${at}.caPem`, longestPem), ...pem(client, "crlPem", at) };
}

function pem<K extends "crlPem" | "caPem">(fields: Fields, key: K, at: string): { readonly [name in K]?: string } {
  return fields[key] === undefined ? {} : ({ [key]: text(fields[key], `${at}.${key}`, longestPem) } as { readonly [name in K]: string });
}

function readSticky(value: unknown, at: string): NonNullable<RoutePolicy["sticky"]> {
  return { forMs: number(object(value, at), "forMs", at) };
}

function readLimits(value: unknown, at: string): RouteLimits {
  const limits = object(value, at);
  const result: Record<string, number | RateLimit> = {};
  for (const key of ["headBytes", "bodyBytes", "bodyRate", "requestMs", "idleMs", "answerMs"] as const)
    if (limits[key] !== undefined) result[key] = number(limits, key, at);
  for (const key of ["rate", "ratePerClient"] as const) if (limits[key] !== undefined) result[key] = readRate(limits[key], `${at}.${key}`);
  return result as RouteLimits;
}

function readRate(value: unknown, at: string): RateLimit {
  const rate = object(value, at);
  const read = (key: string) => {
    const count = number(rate, key, at);
    if (count <= 0) throw wrong(`${at}.${key}`, "more than 0", count);
    return count;
  };
  return { requests: read("requests"), perMs: read("perMs"), burst: read("burst") };
}

function readAnswer(value: unknown, at: string): NonNullable<RoutePolicy["answer"]> {
  const answer = object(value, at);
  const kind = oneOf(answer, "kind", at, ["redirect", "maintenance"]);
  if (kind === "maintenance")
    return { kind, message: text(answer["message"], `${at}.message`, longestWords), retryAfterMs: number(answer, "retryAfterMs", at) };
  const status = integer(answer, "status", at);
  const known = statuses.find((one) => one === status);
  if (known === undefined) throw wrong(`${at}.status`, statuses.join(" or "), status);
  return { kind, to: text(answer["to"], `${at}.to`, longestWords), status: known };
}

function readUpstream(value: unknown, at: string): RouteUpstream {
  const upstream = object(value, at);
  const protocol = oneOf(upstream, "protocol", at, ["http1", "h2c", "https"]);
  if (protocol !== "https") return { protocol };
  const name = upstream["serverName"];
  return {
    protocol,
    verify: flag(upstream, "verify", at),
    ...pem(upstream, "caPem", at),
    ...(name === undefined ? {} : { serverName: text(name, `${at}.serverName`) }),
  };
}

function readProxyProtocol(value: unknown, at: string): NonNullable<RoutePolicy["proxyProtocol"]> {
  const sides = object(value, at);
  return {
    ...(sides["from"] === undefined ? {} : { from: flag(sides, "from", at) }),
    ...(sides["to"] === undefined ? {} : { to: flag(sides, "to", at) }),
  };
}
