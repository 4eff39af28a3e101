import { BlockList, isIP } from "node:net";
import type { Network } from "#host/network.ts";

/** Longest chain of proxies that is believed: beyond, somebody is playing. */
const longestChain = 20;

/** Addresses of proxies in front of the edge, whose word about the client counts. */
export class TrustedProxies {
  readonly #list = new BlockList();

  constructor(networks: readonly Network[]) {
    for (const { address, prefix } of networks) this.#list.addSubnet(address, prefix, isIP(address) === 6 ? "ipv6" : "ipv4");
  }

  has(address: string): boolean {
    const version = isIP(address);
    return version !== 0 && this.#list.check(address, version === 6 ? "ipv6" : "ipv4");
  }

  /**
   * Who the client is by what `peer`, a trusted proxy, says: the last address of the chain that is not a trusted proxy's. What stands before it was said by
   * the client and is passed on as such; from the first thing that is no address on, backwards, nothing is.
   */
  client(peer: string, forwardedFor: string): { readonly address: string; readonly chain: string } {
    const chain: string[] = [];
    let address = peer;
    let isFound = false;
    for (const part of forwardedFor.split(",").reverse().slice(0, longestChain)) {
      const one = bareAddress(part.trim());
      if (one === null) break;
      chain.unshift(one);
      if (isFound) continue;
      address = one;
      isFound = !this.has(one);
    }
    return { address, chain: [...chain, peer].join(", ") };
  }
}

/** An IP address, without the port that some proxies add; null if it is none. */
function bareAddress(text: string): string | null {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? (/^[\d.]+:\d+$/.test(text) ? text.slice(0, text.indexOf(":")) : text);
  return isIP(bare) === 0 || bare.includes("%") ? null : bare.replace(/^::ffff:(?=[\d.]+$)/i, "");
}
