import { stat } from "node:fs/promises";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { readTextIfThere } from "#host/files.ts";
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

/** Where systemd-resolved listens; it keeps those that it asks itself in a file of its own. */
const stubs: ReadonlySet<string> = new Set(["127.0.0.53", "127.0.0.54"]);

export interface ResolvConfOptions {
  /** In the form of resolv.conf(5). */
  readonly file: string;
  /**
   * Read in its place where that names systemd-resolved alone: resolved sends names of the platform to us, and in a circle what we would send back.
   */
  readonly uplinkFile: string;
  readonly clock: Clock;
  /** Where we listen ourselves: asking there would go in a circle too. */
  readonly own: DnsAddress;
}

/** The machine's resolvers by its files, which are read again when they change. Without a file there are none. */
export class ResolvConf implements Resolvers {
  readonly #options: ResolvConfOptions;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #stamp = "";
  #found: readonly DnsAddress[] = [];

  constructor(options: ResolvConfOptions) {
    this.#options = options;
  }

  async list(): Promise<readonly DnsAddress[]> {
    const { file, uplinkFile, clock, own } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#lookedAtMs < lookEveryMs) return this.#found;
    this.#lookedAtMs = nowMs;
    const stamp = `${await stampOf(file)} ${await stampOf(uplinkFile)}`;
    if (stamp === this.#stamp) return this.#found;
    const named = readResolvConf((await readTextIfThere(file)) ?? "");
    const uplinks = named.every(({ host }) => stubs.has(host)) ? readResolvConf((await readTextIfThere(uplinkFile)) ?? "") : [];
    this.#found = (uplinks.length > 0 ? uplinks : named).filter((one) => !isSelf(one, own));
    this.#stamp = stamp;
    return this.#found;
  }
}

/** Differs when the file does. */
async function stampOf(file: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(file);
    return `${mtimeMs}/${size}/${ino}`;
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
    return "none";
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
