import dns from "node:dns/promises";
import net from "node:net";
import { DroverError } from "#model/errors.ts";

/** An address that a name was resolved to, and that may be called. Whoever connects takes this address and does not ask for the name again. */
export interface OutgoingAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Finds the address of a host that somebody else named, and refuses the ones inside. */
export type ResolveOutgoing = (host: string) => Promise<OutgoingAddress>;

/**
 * Addresses that nothing outside of this machine has, or that give more than they should to whoever can make us call them: loopback, link-local
 * (with the clouds' metadata services), those of Alibaba and Azure, unspecified, multicast and reserved ones (RFC 6890), also written as IPv6.
 */
const inside: readonly (readonly [network: string, prefix: number, family: "ipv4" | "ipv6"])[] = [
  ["0.0.0.0", 8, "ipv4"],
  ["100.100.100.200", 32, "ipv4"],
  ["127.0.0.0", 8, "ipv4"],
  ["168.63.129.16", 32, "ipv4"],
  ["169.254.0.0", 16, "ipv4"],
  ["192.0.0.0", 24, "ipv4"],
  ["224.0.0.0", 4, "ipv4"],
  ["240.0.0.0", 4, "ipv4"],
  ["::", 128, "ipv6"],
  ["::1", 128, "ipv6"],
  ["fe80::", 10, "ipv6"],
  ["fd00:ec2::", 32, "ipv6"],
  ["ff00::", 8, "ipv6"],
  ["64:ff9b::", 96, "ipv6"],
  ["64:ff9b:1::", 48, "ipv6"],
  ["2002::", 16, "ipv6"],
];

/**
 * @param allowed networks such as `127.0.0.0/8` or single addresses that may be called although they are inside
 * @throws {DroverError} MANIFEST_INVALID if one of them is none
 */
export function createOutgoing(allowed: readonly string[], lookup: typeof dns.lookup = dns.lookup): ResolveOutgoing {
  const refused = new net.BlockList();
  for (const [network, prefix, family] of inside) refused.addSubnet(network, prefix, family);
  const excepted = new net.BlockList();
  for (const text of allowed) except(excepted, text);
  return async (host) => {
    const name = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
    const { address, family } = net.isIP(name) === 0 ? await lookup(name) : { address: name, family: net.isIP(name) };
    const kind = family === 6 ? "ipv6" : "ipv4";
    if (refused.check(address, kind) && !excepted.check(address, kind)) {
      throw new DroverError(
        "ADDRESS_REFUSED",
        `"${host}" leads to ${address}, which is inside, and \`--allow-outgoing\` does not allow it`,
        {
          hint: `If it is meant, allow it with \`--allow-outgoing ${address}\` where the program is started.`,
          details: { host, address },
        },
      );
    }
    return { address, family: family === 6 ? 6 : 4 };
  };
}

function except(list: net.BlockList, text: string): void {
  const [address = "", prefix, more] = text.split("/");
  const family = net.isIP(address);
  const bits = prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix);
  if (family === 0 || more !== undefined || !Number.isInteger(bits) || bits < 0 || bits > (family === 6 ? 128 : 32)) {
    throw new DroverError("USAGE", `"${text}" is no address or network`, { hint: "Write it as 127.0.0.1 or 10.0.0.0/8." });
  }
  list.addSubnet(address, bits, family === 6 ? "ipv6" : "ipv4");
}
