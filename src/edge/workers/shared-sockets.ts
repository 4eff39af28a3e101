import { bindSocket, type ListeningSocket, openSocket, portOf } from "#host/listening-socket.ts";
import type { Address } from "./messages.ts";

interface Shared {
  readonly socket: Promise<ListeningSocket>;
  readonly holders: Set<number>;
}

/**
 * The sockets that workers listen on together. They are held here, where nothing is accepted, so that connections that wait at one outlive every
 * worker.
 */
export class SharedSockets {
  readonly #shared = new Map<string, Shared>();
  /** Taken from the edge before this one; those that no route asks for are closed. */
  readonly #left = new Map<string, ListeningSocket>();
  /** Never closed while the edge runs: whoever started it holds them too. */
  readonly #fixed = new Map<string, ListeningSocket>();

  /** Takes a socket that was inherited for the address. @throws {Error} with the system's code. */
  inherit(address: Address, fd: number): void {
    this.#fixed.set(keyOf(address), openSocket(fd));
  }

  /** @param left by address, as `keyOf` writes it. */
  takeOver(left: ReadonlyMap<string, ListeningSocket>): void {
    for (const [name, socket] of left) this.#left.set(name, socket);
  }

  /** Opens a public address for good, and says its port. @throws {Error} with the system's code, such as EADDRINUSE. */
  async openFixed(address: Address): Promise<Address> {
    const key = keyOf(address);
    const socket = this.#fixed.get(key) ?? (await bindSocket(address));
    const opened = { host: address.host, port: portOf(socket) };
    this.#fixed.delete(key);
    this.#fixed.set(keyOf(opened), socket);
    return opened;
  }

  /** The socket of the address, for this worker too. @throws {Error} with the system's code, such as EADDRINUSE. */
  async open(address: Address, worker: number): Promise<ListeningSocket> {
    const key = keyOf(address);
    const fixed = this.#fixed.get(key);
    if (fixed !== undefined) return fixed;
    let shared = this.#shared.get(key);
    if (shared === undefined) {
      const left = this.#left.get(key);
      this.#left.delete(key);
      shared = { socket: left === undefined ? bindSocket(address) : Promise.resolve(left), holders: new Set() };
      this.#shared.set(key, shared);
    }
    shared.holders.add(worker);
    try {
      return await shared.socket;
    } catch (error) {
      if (this.#shared.get(key) === shared) this.#shared.delete(key);
      throw error;
    }
  }

  /** The worker does not listen there any more. */
  release(address: Address, worker: number): void {
    const shared = this.#shared.get(keyOf(address));
    if (shared?.holders.delete(worker)) this.#closeUnheld(keyOf(address), shared);
  }

  /** The worker is gone. Its sockets stay for the one that takes its place, which says by `settle` when it has all that it needs. */
  forget(worker: number): void {
    for (const { holders } of this.#shared.values()) holders.delete(worker);
  }

  /** Closes what no worker holds. */
  settle(): void {
    this.#closeLeft();
    for (const [key, shared] of this.#shared) this.#closeUnheld(key, shared);
  }

  close(): void {
    this.#closeLeft();
    for (const socket of this.#fixed.values()) socket.close();
    this.#fixed.clear();
    for (const [key, shared] of this.#shared) {
      shared.holders.clear();
      this.#closeUnheld(key, shared);
    }
  }

  #closeLeft(): void {
    for (const socket of this.#left.values()) socket.close();
    this.#left.clear();
  }

  #closeUnheld(key: string, { socket, holders }: Shared): void {
    if (holders.size > 0) return;
    this.#shared.delete(key);
    socket.then(
      (opened) => opened.close(),
      // Whoever asked for it was told why it could not be opened.
      () => {},
    );
  }
}

/** As workers that are another edge's call it too. */
export function keyOf({ host, port }: Address): string {
  return `${host} ${port}`;
}
