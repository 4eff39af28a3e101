import { isIP } from "node:net";
import { resolve } from "node:path";
import { type Address, parseListenAddress, tlsPortBeside } from "#host/address.ts";
import { readConnectionsPerClient } from "#host/connections-per-client.ts";
import { readEdges } from "#host/edges-option.ts";
import { readEncrypt } from "#host/encrypt.ts";
import { readLostAfter } from "#host/lost-after.ts";
import { parseMetricsUrl } from "#host/metrics-url.ts";
import { parseNetwork, parseResolver } from "#host/network.ts";
import { readOptions } from "#host/program-options.ts";
import { parsePublicUrl } from "#host/public-url.ts";
import { type RouterName, readRouter } from "#host/router-name.ts";
import { upOptions } from "#host/up-options.ts";
import { parseLinkAddress } from "#link/secure/address.ts";
import { DroverError } from "#model/errors.ts";

export interface AgentOptions {
  readonly home: string;
  readonly api: Address;
  readonly http: Address;
  readonly https: Address;
  /** Networks of proxies in front of the edge, as they were written. */
  readonly trustedProxies: readonly string[];
  /** Of one address at the edge; null: as the edge has it. */
  readonly connectionsPerClient: number | null;
  /** What carries the edge's traffic. */
  readonly router: RouterName;
  /** Null: no DNS. */
  readonly dns: DnsOptions | null;
  /** Names besides the loopback ones under which people reach the API. */
  readonly hosts: readonly string[];
  /** Networks inside, such as `127.0.0.0/8`, that checks and messages of users may be sent to all the same. */
  readonly allowOutgoing: readonly string[];
  /** How people reach the API, for links in messages; null: as it listens. */
  readonly publicUrl: string | null;
  /** A Prometheus that questions about figures over time are answered from; null: the own store. */
  readonly metricsFrom: string | null;
  /** Where other machines that join dial; null: none can. */
  readonly link: Address | null;
  /** Whether traffic between machines is encrypted. */
  readonly encrypt: boolean;
  /** What machines are labelled with that take what comes from outside, as it was written; none: each does. */
  readonly edges: readonly string[];
  /** How long other machines may be silent before they are lost, in milliseconds; null: as the server has it. */
  readonly lostAfterMs: number | null;
  /** Where other machines reach what runs here; null: as it turns out. */
  readonly address: string | null;
  /** The Drover that this machine is to be one of; null: its own, or the one that it has joined. */
  readonly join: JoinOrder | null;
  /** Manifests to apply once the server answers; null: none. */
  readonly apply: string | null;
  /** Stop what an agent that was killed has left, in place of starting anything; for `drover down`. */
  readonly down: boolean;
}

export interface JoinOrder {
  /** `HOST:PORT` of the server's links. */
  readonly address: string;
  /** `-`: standard input; null: it has joined before. */
  readonly tokenFile: string | null;
  /** Null: as the token says. */
  readonly machine: string | null;
  /** Start nothing: whoever sets the machine up learns at once whether it may join. */
  readonly only: boolean;
}

export interface DnsOptions {
  readonly address: Address;
  /** The address was asked for; the usual one gives way to whoever has it. */
  readonly isChosen: boolean;
  /** `--dns-allow` and `--dns-upstream` as the edge takes them. */
  readonly more: readonly string[];
}

const defaultApi = "127.0.0.1:7373";
const defaultHttp = "127.0.0.1:8080";
const defaultDns = "127.0.0.1:7353";

/** @throws {DroverError} USAGE */
export function parseAgentOptions(args: readonly string[], defaultHome: string): AgentOptions {
  const given = readOptions("up", upOptions, args);
  const apply = given.one("--apply");
  const metricsFrom = given.one("--metrics-from");
  const publicUrl = given.one("--public-url");
  const http = parseAddress(given.one("--http") ?? defaultHttp);
  const beside = http.port + tlsPortBeside;
  const https = given.one("--https");
  const link = given.one("--link");
  const lostAfter = given.one("--lost-after");
  return {
    home: resolve(given.one("--home") ?? defaultHome),
    api: parseAddress(given.one("--api") ?? defaultApi),
    http,
    https: https === undefined ? { host: http.host, port: beside > 65_535 ? http.port - tlsPortBeside : beside } : parseAddress(https),
    router: readRouter(given, ["--trusted-proxy"]),
    dns: dnsOptions(given.one("--dns") ?? null, given.all("--dns-allow"), given.all("--dns-upstream")),
    connectionsPerClient: readConnectionsPerClient(given.one("--connections-per-client")),
    trustedProxies: trustedProxies(given.all("--trusted-proxy")),
    hosts: given.all("--host"),
    allowOutgoing: given.all("--allow-outgoing"),
    publicUrl: publicUrl === undefined ? null : parsePublicUrl(publicUrl),
    metricsFrom: metricsFrom === undefined ? null : parseMetricsUrl(metricsFrom),
    link: link === undefined ? null : parseAddress(link),
    encrypt: readEncrypt(given.has("--encrypt"), link),
    edges: edgeLabels(given.all("--edges")),
    lostAfterMs: readLostAfter(lostAfter),
    address: parseOwnAddress(given.one("--address")),
    join: joinOrder({
      address: given.one("--join"),
      tokenFile: given.one("--token-file"),
      machine: given.one("--machine"),
      only: given.has("--join-only"),
      ofServers: [
        ...(link === undefined ? [] : ["--link"]),
        ...(given.has("--encrypt") ? ["--encrypt"] : []),
        ...(given.all("--edges").length === 0 ? [] : ["--edges"]),
        ...(lostAfter === undefined ? [] : ["--lost-after"]),
        ...(apply === undefined ? [] : ["--apply"]),
      ],
    }),
    apply: apply === undefined ? null : resolve(apply),
    down: given.has("--down"),
  };
}

function parseOwnAddress(text: string | undefined): string | null {
  if (text === undefined || isIP(text) !== 0) return text ?? null;
  throw new DroverError("USAGE", `"${text}" is no address of this machine`, { hint: 'Use an IP address, such as "10.0.0.2".' });
}

interface GivenJoin {
  readonly address: string | undefined;
  readonly tokenFile: string | undefined;
  readonly machine: string | undefined;
  readonly only: boolean;
  /** Options that were given and are for machines with a server of their own. */
  readonly ofServers: readonly string[];
}

function joinOrder({ address, tokenFile, machine, only, ofServers }: GivenJoin): JoinOrder | null {
  if (address === undefined) {
    const alone = tokenFile !== undefined ? "--token-file" : machine !== undefined ? "--machine" : only ? "--join-only" : null;
    if (alone === null) return null;
    throw new DroverError("USAGE", `"${alone}" is of use with --join alone`, { hint: 'Say whom to join: "--join HOST:PORT".' });
  }
  const [other] = ofServers;
  if (other !== undefined)
    throw new DroverError("USAGE", `"${other}" and "--join" do not go together`, {
      hint: "A machine that joins has no server of its own.",
    });
  parseLinkAddress(address);
  return {
    address,
    tokenFile: tokenFile === undefined || tokenFile === "-" ? (tokenFile ?? null) : resolve(tokenFile),
    machine: machine ?? null,
    only,
  };
}

function trustedProxies(networks: readonly string[]): readonly string[] {
  networks.forEach(parseNetwork);
  return networks;
}

function edgeLabels(texts: readonly string[]): readonly string[] {
  readEdges(texts);
  return texts;
}

function dnsOptions(address: string | null, networks: readonly string[], resolvers: readonly string[]): DnsOptions | null {
  // Read here too, so that a mistake is told to whoever made it and not to the edge's log.
  networks.forEach(parseNetwork);
  resolvers.forEach(parseResolver);
  if (address === "off") return null;
  return {
    address: parseAddress(address ?? defaultDns),
    isChosen: address !== null,
    more: [...networks.flatMap((one) => ["--dns-allow", one]), ...resolvers.flatMap((one) => ["--dns-upstream", one])],
  };
}

/** A chosen port: the programs that are told it start side by side. */
function parseAddress(text: string): Address {
  return parseListenAddress(text, 1);
}
