import { parseArgs } from "node:util";
import { DroverError } from "#model/errors.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface ServerOptions {
  /** The home folder; null: the usual one. */
  readonly home: string | null;
  readonly api: Address;
  /** Where the edge listens for people's requests. */
  readonly edge: Address;
  /** Where it listens for those over TLS. */
  readonly edgeTls: Address;
  /** Where the edge answers DNS; null: it does not. */
  readonly dns: Address | null;
  /** Names besides the loopback ones under which people reach the API. */
  readonly hosts: readonly string[];
  /** A backup to put in the store's place, in place of serving. */
  readonly restore: string | null;
  /** With `restore`: without another question. */
  readonly isConfirmed: boolean;
  readonly isVerbose: boolean;
}

export const serverUsage = `Usage: drover server [options]

The server alone; "drover up" starts it together with the edge and an agent.

  --home DIR            folder of this Drover (default: $DROVER_HOME)
  --api HOST:PORT       where the API listens (default: 127.0.0.1:7373)
  --edge HOST:PORT      where the edge listens, for the addresses of apps (default: 127.0.0.1:8080)
  --edge-tls HOST:PORT  where the edge listens over TLS (default: 127.0.0.1:8443)
  --dns HOST:PORT       where the edge answers DNS (default: it does not)
  --host NAME           another name under which people reach the API; may be given several times
  --restore FILE        show what would change if this backup took the store's place, ask, and put it there; in place of serving
  --yes                 restore without being asked
  --verbose             log more
  -h, --help            show this
`;

/** Whether the way to call it is asked for in place of the program. */
export function wantsHelp(args: readonly string[]): boolean {
  return args.includes("--help") || args.includes("-h");
}

/** The command line of `drover server`. @throws {DroverError} USAGE */
export function readServerOptions(args: readonly string[]): ServerOptions {
  try {
    const { values } = parseArgs({
      args: [...args],
      strict: true,
      options: {
        home: { type: "string" },
        api: { type: "string", default: "127.0.0.1:7373" },
        edge: { type: "string", default: "127.0.0.1:8080" },
        "edge-tls": { type: "string", default: "127.0.0.1:8443" },
        dns: { type: "string" },
        host: { type: "string", multiple: true, default: [] },
        restore: { type: "string" },
        yes: { type: "boolean", default: false },
        verbose: { type: "boolean", default: false },
      },
    });
    return {
      home: values.home ?? null,
      api: readAddress("--api", values.api),
      edge: readAddress("--edge", values.edge),
      edgeTls: readAddress("--edge-tls", values["edge-tls"]),
      dns: values.dns === undefined ? null : readAddress("--dns", values.dns),
      hosts: values.host,
      restore: values.restore ?? null,
      isConfirmed: values.yes,
      isVerbose: values.verbose,
    };
  } catch (error) {
    if (error instanceof DroverError) throw error;
    throw new DroverError("USAGE", `"drover server" was called with options it does not have`, {
      cause: error,
      hint: 'Run "drover server --help" to see them.',
    });
  }
}

/** `127.0.0.1:7373`, `[::1]:7373`; port 0 takes a free one. */
function readAddress(option: string, text: string): Address {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) {
    throw new DroverError("USAGE", `${option} ${JSON.stringify(text)} is not an address`, {
      hint: "Write HOST:PORT, such as 127.0.0.1:7373.",
    });
  }
  return { host: (match[1] as string).replaceAll(/[[\]]/g, ""), port };
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether only this machine reaches the address: then plain HTTP is enough. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}
