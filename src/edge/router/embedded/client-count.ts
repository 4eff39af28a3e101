import type net from "node:net";
import type { Clock } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import { clientKey } from "./policy/rates.ts";

/** Refusals are told so often at most: a flood must not become one on the disk. */
const tellEveryMs = 10_000;

/** Connections of clients over all listeners of one router: all together, and of each address. */
export class ClientCount {
  open = 0;
  readonly #mostPerAddress: number;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Only addresses that have one open, so that there are never more of these than connections. */
  readonly #byAddress = new Map<string, number>();
  #refused = 0;
  #tellAgainMs = 0;

  constructor(mostPerAddress: number, clock: Clock, log: Log) {
    this.#mostPerAddress = mostPerAddress;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Counts a connection for its client until it closes; false if that has as many as it may have. Loopback may have any number: what comes from there
   * are apps that call each other, and proxies on this machine.
   * @param address an IP address; of IPv6, all of its /64 count as one
   */
  admits(socket: net.Socket, address: string): boolean {
    if (address.startsWith("127.") || address === "::1") return true;
    const key = clientKey(address);
    const open = this.#byAddress.get(key) ?? 0;
    if (open >= this.#mostPerAddress) {
      this.#tell(address, open);
      return false;
    }
    this.#byAddress.set(key, open + 1);
    socket.once("close", () => {
      const left = (this.#byAddress.get(key) ?? 0) - 1;
      if (left > 0) this.#byAddress.set(key, left);
      else this.#byAddress.delete(key);
    });
    return true;
  }

  #tell(client: string, open: number): void {
    this.#refused++;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#tellAgainMs) return;
    this.#tellAgainMs = nowMs + tellEveryMs;
    this.#log.warn("connections refused: a client has as many as one may have", { client, open, refused: this.#refused });
    this.#refused = 0;
  }
}
