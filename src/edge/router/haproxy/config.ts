import { coversHost, type EdgeCertificate } from "#model/certificates.ts";
import type { RouteId } from "#model/names.ts";
import type { Listener, Route } from "#model/routing-table.ts";
import { type Backend, backendOf, spareBackend } from "./backends.ts";
import { firstRules, identityRules, requestIds, requestRules, shortcut } from "./http-rules.ts";
import { type PlacedRoute, type Places, placeRoutes } from "./places.ts";
import { milliseconds, printable, routeHost } from "./quoting.ts";
import type { TimeLimits } from "./time-limits.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A server of a backend, as it is now. */
export interface Server {
  readonly name: string;
  /** As HAProxy writes it. */
  readonly address: string;
  /** 0 to 256. */
  readonly weight: number;
}

export interface ConfigInput {
  /** The public port; null: neither it nor any other takes what comes from outside. */
  readonly http: Address | null;
  /** The TLS port, open if the public one is; null: there is none. */
  readonly https: Address | null;
  /** The socket of this configuration's process, like all its files by its name in the folder in which HAProxy runs. */
  readonly control: string;
  /** What stands after `bind` for an address. */
  readonly bind: (address: Address) => string;
  /** Connections of clients. */
  readonly connections: number;
  /** Of one address; null: as many as there are. */
  readonly connectionsPerClient: number | null;
  readonly timeLimits: TimeLimits;
  /** By the number of their backend; null: a spare one, which routes without a policy can take without a reload. */
  readonly slots: ReadonlyMap<number, Route | null>;
  readonly servers: (backend: string) => readonly Server[];
  readonly certificates: readonly EdgeCertificate[];
  /** What authorities are answered, by `host/path/`. */
  readonly challenges: ReadonlyMap<string, string>;
}

export interface Config {
  readonly text: string;
  /** The text without what runtime commands can change: two of one shape need no reload between them. */
  readonly shape: string;
  /** Contents of the files that it names, by their name in the folder; maps are not among them. */
  readonly files: ReadonlyMap<string, string>;
  /** The maps, by their name in the folder. */
  readonly maps: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Whose line is which, by its number from 1: HAProxy names lines when it refuses something. */
  readonly owners: ReadonlyMap<number, RouteId>;
  /** What is not carried out as the table says, in words. */
  readonly shortcomings: ReadonlyMap<RouteId, readonly string[]>;
  /** Arguments of a server in each backend. */
  readonly serverArguments: ReadonlyMap<string, string>;
}

export const maps = {
  exact: "exact.map",
  /** The same, with no backend where plain HTTP is sent on to HTTPS. */
  plain: "plain.map",
  wildcard: "wildcard.map",
  any: "any.map",
  services: "services.map",
  words: "words.map",
  sni: "sni.map",
  challenges: "challenges.map",
  https: "https.map",
} as const;
/** The ring in which HAProxy keeps the last lines of its log until it is asked: a line that is written wakes this process, on the core that the traffic needs. */
export const samples = "samples";
export const backendName = (slot: number) => `b${slot}`;
/** Where a request goes that came to a process that is being replaced: to the one that replaces it. */
export const relays = { public: "relay-public", tls: "relay-tls", services: "relay-services" } as const;
/** Which certificate is for which names. */
export const certificateList = "certificates.list";
/** Service addresses are for apps on this machine alone. */
export const serviceHost = "127.0.0.1";

/** The whole configuration for a table. Pure: same input, same text. */
export function renderConfig(input: ConfigInput): Config {
  const { slots } = input;
  const text: string[] = [];
  const shape: string[] = [];
  const owners = new Map<number, RouteId>();
  const files = new Map<string, string>();
  const shortcomings = new Map<RouteId, readonly string[]>();
  const serverArguments = new Map<string, string>();
  const add = (lines: readonly (string | Bind)[], owner: RouteId | null = null) => {
    for (const line of lines) {
      // Descriptors have other numbers in each process.
      text.push(typeof line === "string" ? line : `  bind ${input.bind(line.address)}${line.more}`);
      shape.push(typeof line === "string" ? line : `  bind ${bindAddress(line.address)}${line.more}`);
      if (owner !== null) owners.set(text.length, owner);
    }
  };

  const placed: PlacedRoute[] = [];
  for (const [slot, route] of slots) if (route !== null) placed.push({ route, backend: backendName(slot) });
  const places = placeRoutes(placed);

  add(globalSection(input));
  // The socket has another name in each process and needs no reload.
  text.splice(text.indexOf(controlMark), 1, `  stats socket unix@${input.control} mode 600 level admin expose-fd listeners`);
  add(defaultSections(input.timeLimits));
  add(publicFrontends(input, places, placed));
  const services = placed.filter(({ route: { listener } }) => listener.kind === "service" && listener.protocol === "http");
  addFrontendOfServices(services, add);
  for (const { route, backend } of placed) addTcpFrontend(route, backend, input, add);

  for (const [slot, route] of slots) {
    const name = backendName(slot);
    const backend: Backend = route === null ? spareBackend : backendOf(route, name);
    serverArguments.set(name, backend.serverArguments);
    for (const [file, content] of backend.files) files.set(file, content);
    if (route !== null && backend.shortcomings.length > 0) shortcomings.set(route.id, backend.shortcomings);
    const owner = route?.id ?? null;
    add(["", `backend ${name} from ${backend.from}`], owner);
    add(
      backend.lines.map((line) => `  ${line}`),
      owner,
    );
    // The arguments of servers that are yet to come belong to the shape.
    shape.push(`  servers ${backend.serverArguments}`);
    for (const server of input.servers(name)) {
      text.push(`  server ${server.name} ${server.address} weight ${server.weight} ${backend.serverArguments}`);
      if (owner !== null) owners.set(text.length, owner);
    }
    // Stands in while there is nobody: nothing listens on port 1, so requests try again until somebody is there or their time is over.
    add(["  server nobody 127.0.0.1:1 backup"], owner);
    for (const { name: table, line } of backend.tables) add([`backend ${table}`, `  ${line}`], owner);
  }
  add(["", ...relayBackends()]);
  if (input.connectionsPerClient !== null)
    add(["", `backend ${clients}`, `  stick-table type ipv6 size ${2 * input.connections} expire 1m store conn_cur`]);
  return {
    text: `${text.join("\n")}\n`,
    shape: `${shape.join("\n")}\n${[...files].map(([name, content]) => `${name}\n${content}`).join("\n")}`,
    files,
    maps: mapsOf(places, placed, input),
    owners,
    shortcomings,
    serverArguments,
  };
}

interface Bind {
  readonly address: Address;
  readonly more: string;
}
const listen = (address: Address, more = ""): Bind => ({ address, more: more === "" ? "" : ` ${more}` });

const controlMark = "  # the control socket";

function globalSection({ connections, https }: ConfigInput): readonly string[] {
  return [
    "global",
    controlMark,
    "  stats timeout 24d",
    `  log ring@${samples} format raw local0`,
    `  maxconn ${connections}`,
    // For set-path and normalize-uri: the embedded router's one form of a path.
    "  expose-experimental-directives",
    // Heads up to what the embedded router takes.
    "  tune.bufsize 32768",
    // Connections that outlive their configuration by more are tunnels that nobody watches.
    "  hard-stop-after 1h",
    ...(https === null ? [] : ["  ssl-default-bind-options ssl-min-ver TLSv1.2", "  ssl-default-bind-curves X25519:P-256:P-384"]),
  ];
}

const compressed =
  "text/html text/plain text/css text/csv text/xml text/javascript application/javascript application/json application/ld+json application/xml application/manifest+json image/svg+xml";

function defaultSections({ headMs, clientIdleMs, clientSilenceMs, answerMs, tunnelIdleMs }: TimeLimits): readonly string[] {
  const heads = [`  timeout http-request ${milliseconds(headMs)}`, `  timeout http-keep-alive ${milliseconds(clientIdleMs)}`];
  const error = (status: number, title: string, before: string, after: string, more = "") =>
    `  http-error status ${status} content-type 'text/plain; charset=utf-8' lf-string '${status} ${title}: ${before}%[be_name,map(${maps.words})]${after}'"\\n" hdr cache-control no-store hdr x-content-type-options nosniff${more}`;
  const common = [
    "  timeout connect 250ms",
    `  timeout client ${milliseconds(clientSilenceMs)}`,
    `  timeout server ${milliseconds(answerMs)}`,
    `  timeout tunnel ${milliseconds(tunnelIdleMs)}`,
    "  timeout client-fin 10s",
    // With the connect timeout above: two seconds in which an instance may come back or come in.
    "  retries 8",
    "  option redispatch 1",
    "  balance random(2)",
  ];
  const http = [
    "  mode http",
    ...common,
    ...heads,
    "  http-reuse safe",
    ...identityRules.map((line) => `  ${line}`),
    "  http-response del-header keep-alive",
    error(502, "Bad Gateway", "the app gave no answer that can be passed on (", ")"),
    error(503, "Service Unavailable", "no instance of ", " takes connections now", " hdr retry-after 2"),
    error(504, "Gateway Timeout", "the app did not answer in time (", ")"),
  ];
  return [
    "",
    `ring ${samples}`,
    "  format raw",
    "  maxlen 128",
    // Some 2,000 lines, twice what comes in a second, after which they are read, from 60,000 requests.
    "  size 65536",
    "",
    "defaults front",
    "  mode http",
    "  log global",
    // Numbered, so that no two lines are alike.
    '  log-format "%rt %b %s %ST %Ta %[fe_req_rate]"',
    ...requestIds.map((line) => `  ${line}`),
    `  timeout client ${milliseconds(clientSilenceMs)}`,
    "  timeout client-fin 10s",
    ...heads,
    `  timeout tunnel ${milliseconds(tunnelIdleMs)}`,
    "  option http-restrict-req-hdr-names delete",
    // A connection that a reload would close in the client's face answers once more first.
    "  option idle-close-on-response",
    "",
    "defaults http-plain",
    ...http,
    "",
    "defaults http",
    ...http,
    "  compression algo gzip",
    `  compression type ${compressed}`,
    "",
    "defaults tcp",
    "  mode tcp",
    ...common,
  ];
}

function publicFrontends(input: ConfigInput, places: Places, placed: readonly PlacedRoute[]): readonly (string | Bind)[] {
  const { http, https } = input;
  const key = ["http-request set-var(txn.path) path", "http-request set-var(txn.key) req.hdr(host),host_only,concat(,txn.path,/)"];
  const find = [
    `http-request set-var(txn.to) var(txn.key),map_beg(${maps.exact})`,
    `http-request set-var(txn.to) 'var(txn.key),regsub("^[^./]+","*"),map_beg(${maps.wildcard})' unless { var(txn.to) -m found }`,
    `http-request set-var(txn.to) 'var(txn.key),regsub("^[^/]+","*"),map_beg(${maps.any})' unless { var(txn.to) -m found }`,
    ...places.conditional.flatMap(({ name, choices, otherwise }) => [
      ...choices.map(
        ({ conditions, backend }) =>
          `http-request set-var(txn.to) str(${backend}) if { var(txn.to) -m str ${name} } ${conditions.join(" ")}`,
      ),
      otherwise === null
        ? `http-request unset-var(txn.to) if { var(txn.to) -m str ${name} }`
        : `http-request set-var(txn.to) str(${otherwise}) if { var(txn.to) -m str ${name} }`,
    ]),
  ];
  const section = (
    name: string,
    binds: readonly (string | Bind)[],
    scheme: "http" | "https",
    quick: { readonly map: string; readonly before: readonly string[]; readonly needs: string },
    before: readonly string[],
    after: readonly string[] = [],
  ) => [
    "",
    `frontend ${name} from front`,
    ...binds,
    ...[
      ...firstRules(scheme),
      ...quick.before,
      // Host and path in one; Host has a port where that is not the scheme's own.
      `http-request set-var(txn.to) base,concat(/),map_beg(${quick.map})`,
      `http-request set-var(txn.to) 'base,regsub("^([^/:]+):[0-9]+/","\\1/"),concat(/),map_beg(${quick.map})' unless { var(txn.to) -m found }`,
      // To a backend, and not to a choice between several or to another process.
      shortcut(`{ var(txn.to) -m beg b } ${quick.needs}`),
      "http-request unset-var(txn.to)",
      ...requestRules(),
      ...key,
      ...before,
      ...find,
      ...after,
      ...notFound,
      ...(scheme === "https" ? [`http-request set-var(txn.to) str(${relays.tls}) if { var(txn.to) -m str ${relays.public} }`] : []),
      "use_backend %[var(txn.to)]",
    ].map((line) => `  ${line}`),
  ];
  const passes = placed.some(({ route }) => route.listener.kind === "passthrough");
  const inner = "unix@tls.sock";
  const secure = `ssl crt-list ${certificateList} alpn h2,http/1.1 strict-sni`;
  return [
    ...section(
      "public",
      [...(http === null ? [] : [listen(http)]), `  bind unix@${relays.public}.sock accept-proxy mode 600`, ...countClients(input)],
      "http",
      { map: https === null ? maps.exact : maps.plain, before: [], needs: "" },
      [challenged],
      https === null ? [] : [redirected(https)],
    ),
    ...(https === null
      ? []
      : section(
          "tls",
          [
            ...(passes ? [`  bind ${inner} accept-proxy mode 600 ${secure}`] : http === null ? [] : [listen(https, secure)]),
            `  bind unix@${relays.tls}.sock accept-proxy mode 600`,
            ...countClients(input),
          ],
          "https",
          { map: maps.exact, before: [named], needs: `{ ${isNamed} } ` },
          [
            named,
            `http-request return status 421 content-type 'text/plain; charset=utf-8' string '421 Misdirected Request' if { ssl_fc_has_sni } !{ ${isNamed} }`,
          ],
        )),
    ...(http === null || https === null || !passes
      ? []
      : [
          "",
          "frontend sni from tcp",
          listen(https),
          ...countClients(input),
          "  tcp-request inspect-delay 5s",
          "  tcp-request content reject unless { req.ssl_hello_type 1 }",
          `  use_backend %[req.ssl_sni,lower,rtrim(.),map_str(${maps.sni},tls-inner)]`,
          "",
          "backend tls-inner from tcp",
          `  server inner ${inner} send-proxy-v2`,
        ]),
  ];
}

const named = "http-request set-var(txn.name) req.hdr(host),host_only";
const isNamed = "ssl_fc_sni,lower,strcmp(txn.name) eq 0";
const isSentToHttps = `var(txn.to),map_str(${maps.https}) -m found`;
const challenged = `http-request return status 200 content-type text/plain lf-string '%[var(txn.key),map_str(${maps.challenges})]' if { path -m beg /.well-known/acme-challenge/ } { var(txn.key),map_str(${maps.challenges}) -m found }`;

function redirected({ port }: Address): string {
  const at = port === 443 ? "" : `:${port}`;
  return `http-request redirect code 308 location 'https://%[req.hdr(host),host_only]${at}%[pathq]' if { ${isSentToHttps} }`;
}

/** Whether what comes in at a frontend comes from outside. @param own backends of routes that have ports of their own there */
export function isPublicFrontend(frontend: string, own: ReadonlySet<string>): boolean {
  return frontend === "public" || frontend === "tls" || frontend === "sni" || own.has(frontend.replace(/^f-/, ""));
}

/** The table of connections by address, of those that clients open themselves: what one process relays to another was counted there. */
const clients = "clients";

/** Too many of one address are closed: nothing can be answered before anything was read. @param when they are counted, `session` is behind a PROXY header */
function countClients({ connectionsPerClient }: ConfigInput, when: "connection" | "session" = "connection"): readonly string[] {
  if (connectionsPerClient === null) return [];
  return [
    `tcp-request ${when} track-sc2 src,ipmask(32,64) table ${clients} if !{ src 127.0.0.0/8 ::1 }`,
    `tcp-request ${when} reject if { sc2_conn_cur gt ${connectionsPerClient} }`,
  ].map((line) => `  ${line}`);
}

const notFound = [
  "acl a_browser req.hdr(accept) -m sub text/html",
  `http-request return status 404 content-type 'text/html; charset=utf-8' string '<!doctype html><html lang="en"><meta charset="utf-8"><title>404 Not Found</title><h1>404 Not Found</h1><p>Nothing is served here.</p>' hdr cache-control no-store hdr x-content-type-options nosniff hdr content-security-policy "default-src 'none'" if !{ var(txn.to) -m found } a_browser`,
  `http-request return status 404 content-type 'text/plain; charset=utf-8' lf-string '404 Not Found: nothing is served at "%[req.hdr(host)]%[path]"'"\\n" hdr cache-control no-store hdr x-content-type-options nosniff unless { var(txn.to) -m found }`,
];

/** Backends whose requests over plain HTTP are sent on to HTTPS. */
function sentToHttps({ https, certificates }: ConfigInput, placed: readonly PlacedRoute[]): ReadonlyMap<string, string> {
  const sent = new Map<string, string>();
  if (https === null) return sent;
  const trusted = certificates.flatMap(({ hosts, isTrusted }) => (isTrusted ? hosts : []));
  for (const { route, backend } of placed) {
    if (route.listener.kind !== "public") continue;
    const host = routeHost(route.listener.host) ?? "";
    const mode = route.policy?.tls?.mode ?? (trusted.some((name) => coversHost(name, host)) ? "redirect" : "off");
    if (mode === "redirect") sent.set(backend, "1");
  }
  return sent;
}

type Add = (lines: readonly (string | Bind)[], owner?: RouteId | null) => void;

function addFrontendOfServices(services: readonly PlacedRoute[], add: Add): void {
  if (services.length === 0) return;
  add(["", "frontend services from front"]);
  for (const { route } of services)
    if (route.listener.kind === "service") add([listen({ host: serviceHost, port: route.listener.port })], route.id);
  add([
    `  bind unix@${relays.services}.sock accept-proxy mode 600`,
    ...[...firstRules("http"), shortcut(), ...requestRules()].map((line) => `  ${line}`),
    `  use_backend %[dst_port,map_int(${maps.services})]`,
  ]);
}

function addTcpFrontend({ listener, policy, id }: Route, backend: string, input: ConfigInput, add: Add): void {
  const address = isTcp(listener) ? listenAddress(listener, input.http) : null;
  if (address === null) return;
  const [proxied, when] = policy?.proxyProtocol?.from === true ? (["accept-proxy", "session"] as const) : ([""] as const);
  add(["", `frontend f-${backend} from tcp`, listen(address, proxied), ...countClients(input, when), `  default_backend ${backend}`], id);
}

function isTcp(listener: Listener): boolean {
  return (listener.kind === "port" || listener.kind === "service") && listener.protocol === "tcp";
}

/** Where a route has an address of its own. */
export function listenAddress(listener: Listener, http: Address | null): Address | null {
  if (listener.kind === "service") return { host: serviceHost, port: listener.port };
  return listener.kind === "port" && http !== null ? { host: http.host, port: listener.port } : null;
}

function relayBackends(): readonly string[] {
  return Object.values(relays).flatMap((name) => [`backend ${name} from http-plain`, `  server successor unix@${name}.sock send-proxy-v2`]);
}

export function bindAddress({ host, port }: Address): string {
  return host.includes(":") ? `ipv6@[${host}]:${port}` : `${host === "localhost" ? "127.0.0.1" : host}:${port}`;
}

function mapsOf({ exact, wildcard, any }: Places, placed: readonly PlacedRoute[], input: ConfigInput): Config["maps"] {
  const services = new Map<string, string>();
  const words = new Map<string, string>();
  const sni = new Map<string, string>();
  const sent = sentToHttps(input, placed);
  // Whole, because a longer path that were missing would leave its requests to a shorter one.
  const plain = [...exact].map(([place, to]) => [place, sent.has(to) ? "sent" : to] as const);
  for (const { route, backend } of placed) {
    const { listener, process, app, space } = route;
    if (listener.kind === "service" && listener.protocol === "http") services.set(String(listener.port), backend);
    if (listener.kind === "passthrough") {
      const host = routeHost(listener.host);
      if (host !== null) sni.set(host, backend);
    }
    words.set(backend, printable(`process "${process}" of app "${app}" in space "${space}"`).slice(0, 500));
  }
  return new Map([
    [maps.exact, exact],
    [maps.plain, new Map(input.https === null ? [] : plain)],
    [maps.wildcard, wildcard],
    [maps.any, any],
    [maps.services, services],
    [maps.words, words],
    [maps.sni, sni],
    [maps.challenges, input.challenges],
    [maps.https, sent],
  ]);
}

/** A map as a file. */
export function renderMap(entries: ReadonlyMap<string, string>): string {
  return [...entries].map(([key, value]) => `${key} ${value}\n`).join("");
}
