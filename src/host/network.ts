import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { DroverError } from "#model/errors.ts";
import { type Address, readHostAndPort } from "./address.ts";

export interface Network {
  readonly address: string;
  /** Leading bits that all addresses of the network share. */
  readonly prefix: number;
}

/** `10.0.0.0/8`, `fd00::/8`; an address alone is a network of one. @throws {DroverError} USAGE */
export function parseNetwork(text: string): Network {
  const match = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text);
  const address = match?.[1] ?? "";
  const family = isIP(address);
  const bits = family === 4 ? 32 : 128;
  const prefix = Number(match?.[2] ?? bits);
  if (family === 0 || prefix > bits) {
    throw new DroverError("USAGE", `"${text}" is no network`, { hint: 'Use an address and a prefix length, such as "10.0.0.0/8".' });
  }
  return { address, prefix };
}

/** `192.0.2.53`, `192.0.2.53:5353`, `[2001:db8::53]:53`: the port is 53 unless given. @throws {DroverError} USAGE */
export function parseResolver(text: string): Address {
  const address = isIP(text) === 0 ? readHostAndPort(text) : { host: text, port: 53 };
  if (address === null || isIP(address.host) === 0 || address.port < 1) {
    throw new DroverError("USAGE", `"${text}" is no address of a resolver`, {
      hint: 'Use an IP address, and a port if it is not 53, such as "192.0.2.53" or "192.0.2.53:5353".',
    });
  }
  return address;
}

/** Where others reach what listens on `host`: on all addresses of the machine, the first that is not for itself alone. */
export function addressToDial<A extends { readonly host: string; readonly port: number }>(address: A): A {
  if (address.host !== "0.0.0.0" && address.host !== "::") return address;
  const outside = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .find(({ internal, family }) => !internal && family === "IPv4");
  return { ...address, host: outside?.address ?? "127.0.0.1" };
}
