import { readFile, stat } from "node:fs/promises";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import type { Clock } from "#model/clock.ts";
import { hasCode } from "#model/errors.ts";
import { isLoopback } from "../access.ts";

export interface DnsAddress {
  readonly host: string;
  readonly port: number;
}

/** Whom everything is asked of that is not ours. */
export interface Resolvers {
  list(): Promise<readonly DnsAddress[]>;
}

/** Those that were named when Drover was started. */
export function fixedResolvers(addresses: readonly DnsAddress[]): Resolvers {
  return { list: async () => addresses };
}

/** How long a change of the file may go unnoticed: a laptop that joins another network should not wait for its names. */
const lookEveryMs = 2_000;
/** The system's own resolver uses three; more than this only makes failure slow. */
const mostResolvers = 4;
const dnsPort = 53;

/** The name servers of a file in the form of resolv.conf(5), read again when it changes. Without the file there are none. */
export class ResolvConf implements Resolvers {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #own: DnsAddress;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #stamp = "";
  #found: readonly DnsAddress[] = [];

  /** @param own where we listen ourselves: asking there would go in a circle. */
  constructor(options: { readonly file: string; readonly clock: Clock; readonly own: DnsAddress }) {
    this.#file = options.file;
    this.#clock = options.clock;
    this.#own = options.own;
  }

  async list(): Promise<readonly DnsAddress[]> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lookedAtMs < lookEveryMs) return this.#found;
    this.#lookedAtMs = nowMs;
    try {
      const { mtimeMs, size, ino } = await stat(this.#file);
      const stamp = `${mtimeMs} ${size} ${ino}`;
      if (stamp !== this.#stamp) {
        this.#found = readResolvConf(await readFile(this.#file, "utf8")).filter((one) => !isSelf(one, this.#own));
        this.#stamp = stamp;
      }
    } catch (error) {
      if (!hasCode(error, "ENOENT")) throw error;
      this.#stamp = "";
      this.#found = [];
    }
    return this.#found;
  }
}

export function readResolvConf(text: string): readonly DnsAddress[] {
  const hosts = [...text.matchAll(/^nameserver[ \t]+(\S+)/gm)].map(([, host = ""]) => host);
  return hosts
    .filter((host) => isIP(host) !== 0)
    .slice(0, mostResolvers)
    .map((host) => ({ host, port: dnsPort }));
}

/** Whether a query sent there comes to where `own` listens. */
export function isSelf(to: DnsAddress, own: DnsAddress): boolean {
  if (to.port !== own.port) return false;
  if (to.host === own.host) return true;
  if (own.host !== "0.0.0.0" && own.host !== "::") return false;
  return isLoopback(to.host) || ownAddresses().has(to.host);
}

function ownAddresses(): ReadonlySet<string> {
  return new Set(
    Object.values(networkInterfaces())
      .flat()
      .flatMap((one) => one?.address ?? []),
  );
}
