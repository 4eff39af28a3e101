import { type Address, parseListenAddress } from "#host/address.ts";
import { type Labels, readEdges } from "#host/edges-option.ts";
import { readEncrypt } from "#host/encrypt.ts";
import { readLostAfter } from "#host/lost-after.ts";
import { parseMetricsUrl } from "#host/metrics-url.ts";
import { type ProgramOptions, readOptions, usageOf } from "#host/program-options.ts";
import { parsePublicUrl } from "#host/public-url.ts";

export interface ServerOptions {
  /** The home folder; null: the usual one. */
  readonly home: string | null;
  readonly api: Address;
  /** Where the edge listens for people's requests. */
  readonly edge: Address;
  /** Where it listens for those over TLS. */
  readonly edgeTls: Address;
  /** Where agents and edges of other machines dial; null: there are none. */
  readonly link: Address | null;
  /** Whether traffic between machines is encrypted. */
  readonly encrypt: boolean;
  /** What machines are labelled with that take what comes from outside; none: each does. */
  readonly edges: Labels;
  /** How long a machine may be silent before it is lost, in milliseconds; null: as long as is usual. */
  readonly lostAfterMs: number | null;
  /** Where the edge answers DNS; null: it does not. */
  readonly dns: Address | null;
  /** Names besides the loopback ones under which people reach the API. */
  readonly hosts: readonly string[];
  /** Networks inside, such as `127.0.0.0/8`, that checks and messages of users may be sent to all the same. */
  readonly allowOutgoing: readonly string[];
  /** How people reach the API, such as `https://drover.example.com`; null: as it listens. */
  readonly publicUrl: string | null;
  /** A Prometheus or VictoriaMetrics that questions about figures over time are answered from; null: the own store. */
  readonly metricsFrom: string | null;
  /** A backup to put in the store's place, in place of serving. */
  readonly restore: string | null;
  /** With `restore`: without another question. */
  readonly isConfirmed: boolean;
  readonly isVerbose: boolean;
}

const options = {
  "--home": { value: "DIR", help: "folder of this Drover (default: $DROVER_HOME)" },
  "--api": { value: "HOST:PORT", help: "where the API listens (default: 127.0.0.1:7373)" },
  "--edge": { value: "HOST:PORT", help: "where the edge listens, for the addresses of apps (default: 127.0.0.1:8080)" },
  "--edge-tls": { value: "HOST:PORT", help: "where the edge listens over TLS (default: 127.0.0.1:8443)" },
  "--dns": { value: "HOST:PORT", help: "where the edge answers DNS (default: it does not)" },
  "--link": { value: "HOST:PORT", help: "where other machines that join dial (default: nowhere)" },
  "--encrypt": { value: null, help: "have machines send each other's apps nothing but mutual TLS, at the port after --link's" },
  "--edges": {
    value: "KEY=VALUE",
    help: "have only machines with this label take what comes from outside (default: each does)",
    isRepeated: true,
  },
  "--lost-after": { value: "TIME", help: "how long a machine may be silent before it is lost, 5s to 10m (default: 5s)" },
  "--host": { value: "NAME", help: "another name under which people reach the API", isRepeated: true },
  "--allow-outgoing": {
    value: "NETWORK",
    help: "a network inside, such as 127.0.0.0/8, that checks and webhooks may call all the same",
    isRepeated: true,
  },
  "--public-url": { value: "URL", help: "how people reach the API, for links in messages (default: the address that it listens on)" },
  "--metrics-from": {
    value: "URL",
    help: "a Prometheus or VictoriaMetrics that scrapes this Drover, to answer from about figures over time (default: its own store)",
  },
  "--restore": {
    value: "FILE",
    help: "show what would change if this backup took the store's place, ask, and put it there; in place of serving",
  },
  "--yes": { value: null, help: "restore without being asked" },
  "--verbose": { value: null, help: "log more" },
} as const satisfies ProgramOptions;

export const serverUsage = usageOf("server", 'The server alone; "drover up" starts it together with the edge and an agent.', options);

/** The command line of `drover server`. @throws {DroverError} USAGE */
export function readServerOptions(args: readonly string[]): ServerOptions {
  const given = readOptions("server", options, args);
  const dns = given.one("--dns");
  const publicUrl = given.one("--public-url");
  const metricsFrom = given.one("--metrics-from");
  const link = given.one("--link");
  return {
    home: given.one("--home") ?? null,
    api: parseListenAddress(given.one("--api") ?? "127.0.0.1:7373"),
    edge: parseListenAddress(given.one("--edge") ?? "127.0.0.1:8080"),
    edgeTls: parseListenAddress(given.one("--edge-tls") ?? "127.0.0.1:8443"),
    dns: dns === undefined ? null : parseListenAddress(dns),
    link: link === undefined ? null : parseListenAddress(link),
    encrypt: readEncrypt(given.has("--encrypt"), link),
    edges: readEdges(given.all("--edges")),
    lostAfterMs: readLostAfter(given.one("--lost-after")),
    hosts: given.all("--host"),
    allowOutgoing: given.all("--allow-outgoing"),
    publicUrl: publicUrl === undefined ? null : parsePublicUrl(publicUrl),
    metricsFrom: metricsFrom === undefined ? null : parseMetricsUrl(metricsFrom),
    restore: given.one("--restore") ?? null,
    isConfirmed: given.has("--yes"),
    isVerbose: given.has("--verbose"),
  };
}

/** Whether only this machine reaches the address: then plain HTTP is enough. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}
