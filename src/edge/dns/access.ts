import { BlockList, isIPv4 } from "node:net";
import type { Network } from "#host/network.ts";

/** Addresses whose verdict is remembered; past that the memory starts anew. */
const mostRemembered = 4_096;

/** Who may ask: this machine, and the networks that were named. A resolver that answers everybody is a weapon against third parties. */
export class Access {
  readonly #networks = new BlockList();
  readonly #known = new Map<string, boolean>();

  constructor(networks: readonly Network[]) {
    this.#networks.addSubnet("127.0.0.0", 8, "ipv4");
    this.#networks.addAddress("::1", "ipv6");
    for (const { address, prefix } of networks) this.#networks.addSubnet(address, prefix, isIPv4(address) ? "ipv4" : "ipv6");
  }

  allows(address: string): boolean {
    // By far the most queries are this machine's own.
    if (isLoopback(address)) return true;
    const known = this.#known.get(address);
    if (known !== undefined) return known;
    const plain = plainAddress(address);
    const isAllowed = this.#networks.check(plain, isIPv4(plain) ? "ipv4" : "ipv6");
    if (this.#known.size >= mostRemembered) this.#known.clear();
    this.#known.set(address, isAllowed);
    return isAllowed;
  }
}

/** Without the zone of a link-local address, and IPv4 as itself where it arrives through IPv6. */
export function plainAddress(address: string): string {
  const withoutZone = address.replace(/%.*$/, "");
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(withoutZone)?.[1] ?? withoutZone;
}

/** From this machine: the kernel lets no such address in from outside. */
export function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1" || address.startsWith("::ffff:127.");
}
