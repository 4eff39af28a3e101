import { type Address, parseListenAddress, tlsPortBeside } from "#host/address.ts";
import { readConnectionsPerClient } from "#host/connections-per-client.ts";
import { type Network, parseNetwork, parseResolver } from "#host/network.ts";
import { type ProgramOptions, readOptions, usageOf } from "#host/program-options.ts";
import { type RouterName, readRouter } from "#host/router-name.ts";
import { DroverError } from "#model/errors.ts";

export interface EdgeOptions {
  readonly home: string;
  readonly host: string;
  readonly port: number;
  readonly router: RouterName;
  /** Processes that carry traffic; null: one for each core. */
  readonly workers: number | null;
  /** Networks inside, such as `127.0.0.0/8`, that checks may call all the same. */
  readonly allowOutgoing: readonly string[];
  /** Addresses and networks of proxies in front, whose word about clients counts. */
  readonly trustedProxies: readonly Network[];
  /** Of one address at once; null: a fifth of all there may be; any number with HAProxy. */
  readonly connectionsPerClient: number | null;
  /** Of the TLS port, on the same host unless it is given. */
  readonly https: Address;
  /** Null: no DNS. */
  readonly dns: DnsOptions | null;
}

export interface DnsOptions {
  readonly address: Address;
  /** Who may ask beside this machine. */
  readonly networks: readonly Network[];
  /** Whom to ask what is not ours; null: the resolvers of this machine. */
  readonly resolvers: readonly Address[] | null;
}

const options = {
  "--home": { value: "DIR", help: "folder of this Drover (default: $DROVER_HOME)" },
  "--http": { value: "HOST:PORT", help: "where requests for apps are taken (default: 127.0.0.1:8080)" },
  "--https": { value: "HOST:PORT", help: "where they are taken over TLS (default: 363 above --http, so 127.0.0.1:8443)" },
  "--dns": { value: "HOST:PORT", help: "where DNS answers for <app>.<space>.drover (default: nowhere)" },
  "--dns-allow": { value: "NETWORK", help: "who may ask it beside this machine, such as 10.0.0.0/8", isRepeated: true },
  "--dns-upstream": { value: "HOST[:PORT]", help: "whom it asks for other names (default: the machine's resolvers)", isRepeated: true },
  "--trusted-proxy": {
    value: "NETWORK",
    help: "a proxy in front, such as 10.0.0.7 or 10.0.0.0/8, whose word about clients counts",
    isRepeated: true,
  },
  "--connections-per-client": {
    value: "N",
    help: "how many one address may have open at once (default: a fifth of all there may be; any with haproxy)",
  },
  "--allow-outgoing": {
    value: "NETWORK",
    help: "a network inside, such as 127.0.0.0/8, that checks may call all the same",
    isRepeated: true,
  },
  "--workers": { value: "N", help: "processes that carry traffic (default: one for each core)" },
  "--router": { value: "NAME", help: "what carries traffic: embedded, or haproxy where that is installed (default: embedded)" },
} as const satisfies ProgramOptions;

export const edgeUsage = usageOf(
  "edge",
  'The edge alone; "drover up" starts it together with the server and an agent. "drover edge restart" replaces the one that runs.',
  options,
);

/** The public address when none is given. */
const defaultAddress = "127.0.0.1:8080";

/** More than any machine has cores for; each is a process. */
const mostWorkers = 256;

/** The command line of `drover edge`. @throws {DroverError} USAGE. */
export function parseEdgeOptions(args: readonly string[], defaultHome: string): EdgeOptions {
  const given = readOptions("edge", options, args);
  const dns = given.one("--dns");
  const workers = given.one("--workers");
  const plain = parseListenAddress(given.one("--http") ?? defaultAddress);
  const https = given.one("--https");
  // Port 0 is any free one, and so is the one beside it.
  const beside = plain.port === 0 || plain.port + tlsPortBeside > 65_535 ? 0 : plain.port + tlsPortBeside;
  return {
    home: given.one("--home") ?? defaultHome,
    ...plain,
    https: https === undefined ? { host: plain.host, port: beside } : parseListenAddress(https),
    router: readRouter(given, ["--trusted-proxy", "--workers"]),
    workers: workers === undefined ? null : parseWorkers(workers),
    allowOutgoing: given.all("--allow-outgoing"),
    connectionsPerClient: readConnectionsPerClient(given.one("--connections-per-client")),
    trustedProxies: given.all("--trusted-proxy").map(parseNetwork),
    dns:
      dns === undefined
        ? null
        : {
            address: ipAddress(parseListenAddress(dns)),
            networks: given.all("--dns-allow").map(parseNetwork),
            resolvers: given.has("--dns-upstream") ? given.all("--dns-upstream").map(parseResolver) : null,
          },
  };
}

/** The family of DNS's sockets is chosen before any name is known. */
function ipAddress({ host, port }: Address): Address {
  return { host: host === "localhost" ? "127.0.0.1" : host, port };
}

function parseWorkers(text: string): number {
  const workers = Number(text);
  if (/^\d+$/.test(text) && workers >= 1 && workers <= mostWorkers) return workers;
  throw new DroverError("USAGE", `"${text}" is no number of workers`, { hint: `Use a number from 1 to ${mostWorkers}, or leave it out.` });
}
