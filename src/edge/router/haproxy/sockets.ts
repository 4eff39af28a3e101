import { bindSocket, type ListeningSocket, portOf } from "#host/listening-socket.ts";
import type { Address } from "./config.ts";
import { bindAddress } from "./config.ts";

/** Descriptors of a process before those that it inherits: its input, its output, its errors. */
const firstFd = 3;

/**
 * The sockets on which HAProxy listens, held by the edge: connections that arrive while HAProxy is started again wait in them, and a port that is
 * taken is known before HAProxy is told of it.
 */
export class Sockets {
  readonly #held = new Map<string, ListeningSocket>();
  /** Held by a HAProxy that outlived its edge, which gives them to its successor. */
  readonly #taken: ReadonlySet<string>;

  #used: readonly string[] = [];

  constructor(taken: ReadonlySet<string>) {
    this.#taken = taken;
  }

  /** Resolves with the address, with a port that is free in place of 0. @throws {Error} with the system's code, such as EADDRINUSE. */
  async hold(address: Address): Promise<Address> {
    const key = bindAddress(address);
    if (this.#held.has(key) || this.#taken.has(key)) return address;
    const socket = await bindSocket(address);
    const bound = { host: address.host, port: portOf(socket) };
    this.#held.set(bindAddress(bound), socket);
    return bound;
  }

  /** From now on `fds` are those of these addresses alone: a process that inherits another socket keeps it open. */
  use(addresses: readonly Address[]): void {
    this.#used = [...new Set(addresses.map(bindAddress))].filter((key) => this.#held.has(key));
  }

  /** What stands after `bind`, in a process that inherits `fds`. */
  bind(address: Address): string {
    const key = bindAddress(address);
    const at = this.#used.indexOf(key);
    return at === -1 ? key : `fd@${firstFd + at}`;
  }

  get fds(): readonly number[] {
    return this.#used.flatMap((key) => this.#held.get(key)?.fd ?? []);
  }

  release(address: Address): void {
    const key = bindAddress(address);
    this.#held.get(key)?.close();
    this.#held.delete(key);
  }

  /** Lets go of all others. */
  keep(addresses: readonly Address[]): void {
    const kept = new Set(addresses.map(bindAddress));
    for (const [key, socket] of this.#held) {
      if (kept.has(key)) continue;
      this.#held.delete(key);
      socket.close();
    }
  }
}
