import { isIP } from "node:net";
import { DroverError } from "#model/errors.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The edge's TLS port beside its plain one when none is given: from 80 to 443, and from 8080 to 8443. */
export const tlsPortBeside = 363;

/**
 * Where a program is to listen: `127.0.0.1:7373`, `[::1]:7373`, `localhost:7373`.
 * @param lowestPort 0 where any free port will do
 * @throws {DroverError} USAGE
 */
export function parseListenAddress(text: string, lowestPort: 0 | 1 = 0): Address {
  const address = readHostAndPort(text);
  if (address !== null && address.port >= lowestPort && (isIP(address.host) !== 0 || address.host === "localhost")) return address;
  throw new DroverError("USAGE", `"${text}" is no address to listen on`, {
    hint: 'Use an IP address and a port, such as "127.0.0.1:8080".',
  });
}

/** Null for what is no `HOST:PORT`; brackets around a host, as IPv6 needs them, are taken off. */
export function readHostAndPort(text: string): Address | null {
  const [, host, digits] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  return host === undefined || port > 65_535 ? null : { host: host.replace(/^\[(.*)\]$/, "$1"), port };
}

/** As it stands in an address or URL. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Where something that listens on `host` is called from this machine. */
export function addressToCall(host: string): string {
  if (host === "0.0.0.0" || host === "localhost") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}
