import { createHash } from "node:crypto";
import type { RateLimit, Route, RoutePolicy } from "#model/routing-table.ts";
import { formatted, milliseconds } from "./quoting.ts";

/** One backend of the configuration, and what of its route HAProxy cannot do. */
export interface Backend {
  /** Which of the `defaults` sections it starts from. */
  readonly from: "http" | "http-plain" | "tcp";
  readonly lines: readonly string[];
  /** Arguments of each of its servers. */
  readonly serverArguments: string;
  /** Sections of its own besides: stick tables. */
  readonly tables: readonly { readonly name: string; readonly line: string }[];
  /** Files that its lines name, by their name in the configuration's folder. */
  readonly files: ReadonlyMap<string, string>;
  /** What is not carried out as the table says, in words. */
  readonly shortcomings: readonly string[];
}

/** Idle connections to instances go before apps close theirs, which Node and others do after 5 s. */
const serverBasics = "pool-purge-delay 2s";
/** Clients that one route's limit knows at a time; the least recent are forgotten first. */
const limitedClients = 100_000;

export const spareBackend: Backend = {
  from: "http",
  lines: [],
  serverArguments: serverBasics,
  tables: [],
  files: new Map(),
  shortcomings: [],
};

/** @param name of the backend */
export function backendOf(route: Route, name: string): Backend {
  const { listener, policy } = route;
  const isTcp = listener.kind === "passthrough" || listener.kind === "port" || (listener.kind === "service" && listener.protocol === "tcp");
  if (policy === undefined) return isTcp ? { ...spareBackend, from: "tcp" } : spareBackend;
  return isTcp ? tcpBackend(policy) : httpBackend(policy, name);
}

function tcpBackend(policy: RoutePolicy): Backend {
  const sendsProxy = policy.proxyProtocol?.to === true;
  const { idleMs, rate, ratePerClient } = policy.limits ?? {};
  const idle = idleMs === undefined ? [] : [`timeout server ${milliseconds(idleMs)}`, `timeout tunnel ${milliseconds(idleMs)}`];
  return {
    ...spareBackend,
    from: "tcp",
    lines: idle,
    serverArguments: `${serverBasics}${sendsProxy ? " send-proxy-v2" : ""}`,
    shortcomings: rate === undefined && ratePerClient === undefined ? [] : ["limits of rate are for HTTP routes alone"],
  };
}

function httpBackend(policy: RoutePolicy, name: string): Backend {
  const lines: string[] = [];
  const tables: { name: string; line: string }[] = [];
  const files = new Map<string, string>();
  const shortcomings: string[] = [];
  const { limits, answer, sticky, upstream, tls } = policy;
  if (limits?.headBytes !== undefined) shortcomings.push("HAProxy has one limit of heads for all routes");
  if (policy.trace === true) shortcomings.push("HAProxy starts no traces");
  if (policy.logShare !== undefined && policy.logShare > 0) shortcomings.push("HAProxy writes no access log");

  if (tls?.hstsMs !== undefined && tls.hstsMs > 0)
    lines.push(
      `http-after-response set-header strict-transport-security max-age=${Math.round(tls.hstsMs / 1_000)} if { var(txn.scheme) -m str https }`,
    );

  const rates: readonly (readonly [RateLimit | undefined, string, string, string])[] = [
    [limits?.rate, `${name}-all`, "string len 8 size 1", "be_name"],
    [limits?.ratePerClient, `${name}-client`, `ipv6 size ${limitedClients}`, "src"],
  ];
  rates.forEach(([limit, table, type, key], at) => {
    if (limit === undefined) return;
    // A window in which the bucket would fill once: the same burst, and the same rate in the long run.
    const windowMs = Math.max(1, (limit.burst / Math.max(limit.requests, 1e-6)) * limit.perMs);
    tables.push({
      name: table,
      line: `stick-table type ${type} expire ${milliseconds(windowMs * 2)} store http_req_rate(${milliseconds(windowMs)})`,
    });
    lines.push(`http-request track-sc${at} ${key} table ${table}`);
    const retryAfter = Math.max(1, Math.ceil(limit.perMs / Math.max(limit.requests, 1e-6) / 1_000));
    lines.push(
      `http-request return status 429 content-type 'text/plain; charset=utf-8' string '429 Too Many Requests' hdr retry-after ${retryAfter} hdr cache-control no-store if { sc${at}_http_req_rate gt ${Math.floor(limit.burst)} }`,
    );
  });
  if (limits?.bodyBytes !== undefined) {
    lines.push(`http-request deny deny_status 413 if { req.body_size gt ${Math.floor(limits.bodyBytes)} }`);
    // HAProxy does not count what it streams.
    lines.push(
      "http-request return status 411 content-type 'text/plain; charset=utf-8' string '411 Length Required' if { req.fhdr(transfer-encoding) -m found }",
    );
  }
  if (limits?.bodyRate !== undefined && limits.bodyRate > 0)
    shortcomings.push("HAProxy has no least rate of bodies, so one that drips goes on");
  if (limits?.requestMs !== undefined)
    shortcomings.push("HAProxy has no limit for a whole request, so one that never falls silent goes on");
  const serverMs = Math.min(
    limits?.answerMs ?? Number.POSITIVE_INFINITY,
    limits?.idleMs ?? Number.POSITIVE_INFINITY,
    limits?.requestMs ?? Number.POSITIVE_INFINITY,
  );
  if (Number.isFinite(serverMs)) lines.push(`timeout server ${milliseconds(serverMs)}`);
  if (limits?.idleMs !== undefined) lines.push(`timeout tunnel ${milliseconds(limits.idleMs)}`);

  if (answer?.kind === "redirect") {
    const to = redirectTarget(answer.to);
    if (to === null) shortcomings.push(`"${answer.to.slice(0, 100)}" is no address that HAProxy can be told to redirect to`);
    else lines.push(`http-request redirect code ${answer.status} location ${to}`);
  } else if (answer?.kind === "maintenance") lines.push(...maintenance(answer.message, answer.retryAfterMs, name, files));

  if (sticky !== undefined) {
    // Only this router reads it, and it tells no address: the value is a hash under the key.
    lines.push(`cookie drover_route insert indirect nocache httponly dynamic maxlife ${milliseconds(sticky.forMs)} attr SameSite=Lax`);
    lines.push("dynamic-cookie-key drover");
  }
  return {
    from: policy.compress === false ? "http-plain" : "http",
    lines,
    serverArguments: `${serverBasics}${upstreamArguments(upstream, name, files)}`,
    tables,
    files,
    shortcomings,
  };
}

function maintenance(message: string, retryAfterMs: number, name: string, files: Map<string, string>): readonly string[] {
  // The words are in files, which HAProxy sends as they are.
  const text = `503 Service Unavailable: ${message}\n`;
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>503 Service Unavailable</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em;color:#222}h1{font-size:1.4em}</style>
<h1>503 Service Unavailable</h1><p>${message.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)}</p>
`;
  files.set(`${name}.txt`, text);
  files.set(`${name}.html`, html);
  const rest = `hdr retry-after ${Math.max(1, Math.ceil(retryAfterMs / 1_000))} hdr cache-control no-store hdr x-content-type-options nosniff`;
  const csp = `hdr content-security-policy "default-src 'none'; style-src 'unsafe-inline'"`;
  return [
    `http-request return status 503 content-type 'text/html; charset=utf-8' file ${name}.html ${rest} ${csp} if { req.hdr(accept) -m sub text/html }`,
    `http-request return status 503 content-type 'text/plain; charset=utf-8' file ${name}.txt ${rest}`,
  ];
}

/** `{host}`, `{path}` and `{uri}` are taken from the request. Null for what is no address to go to. */
function redirectTarget(to: string): string | null {
  if (!/^(?:https?:\/\/|\/)[\x21-\x7e]*$/.test(to) || to.includes("\\")) return null;
  const fetches: Readonly<Record<string, string>> = { "{host}": "%[req.hdr(host)]", "{path}": "%[path]", "{uri}": "%[pathq]" };
  const parts = to.split(/(\{(?:host|path|uri)\})/);
  return parts.map((part) => fetches[part] ?? formatted(part)).join("");
}

function upstreamArguments(upstream: RoutePolicy["upstream"], name: string, files: Map<string, string>): string {
  if (upstream === undefined) return "";
  if (upstream.protocol !== "https") return upstream.protocol === "h2c" ? " proto h2" : "";
  const sni = upstream.serverName !== undefined && /^[a-z0-9._-]{1,253}$/i.test(upstream.serverName) ? upstream.serverName : null;
  const named = sni === null ? "" : ` sni str(${sni})${upstream.verify ? ` verifyhost ${sni}` : ""}`;
  if (!upstream.verify) return ` ssl verify none${named}`;
  if (upstream.caPem === undefined) return ` ssl verify required ca-file @system-ca${named}`;
  // Named for its content: HAProxy keeps files of one name that it has read.
  const file = `${name}-${createHash("sha256").update(upstream.caPem).digest("hex").slice(0, 12)}.ca.pem`;
  files.set(file, upstream.caPem);
  return ` ssl verify required ca-file ${file}${named}`;
}
