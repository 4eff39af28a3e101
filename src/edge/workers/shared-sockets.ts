import { bindSocket, type ListeningSocket, openSocket, portOf } from "#host/listening-socket.ts";
import { hasCode } from "#model/errors.ts";
import type { Address } from "./messages.ts";

type TakeSockets = () => Promise<ReadonlyMap<string, ListeningSocket>>;

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
  #take: TakeSockets | null = null;
  #taking: Promise<Map<string, ListeningSocket>> | null = null;
  /** The public addresses. Whoever started the edge may hold them too. */
  readonly #fixed = new Map<string, ListeningSocket>();

  /** Takes a socket that was inherited for the address. @throws {Error} with the system's code. */
  inherit(address: Address, fd: number): void {
    this.#fixed.set(keyOf(address), openSocket(fd));
  }

  /** @param take what others have, by address as `keyOf` writes it; asked again for a port that turns out to be taken. */
  async takeOver(take: TakeSockets): Promise<void> {
    this.#take = take;
    for (const [key, socket] of await take()) this.#left.set(key, socket);
  }

  /** Opens a public address until `closeFixed`, and says its port. @throws {Error} with the system's code, such as EADDRINUSE. */
  async openFixed(address: Address): Promise<Address> {
    const key = keyOf(address);
    const socket = this.#fixed.get(key) ?? (await this.#takeOrBind(address));
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
      shared = { socket: this.#takeOrBind(address), holders: new Set() };
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

  closeFixed(): void {
    for (const socket of this.#fixed.values()) socket.close();
    this.#fixed.clear();
  }

  close(): void {
    this.#closeLeft();
    this.closeFixed();
    for (const [key, shared] of this.#shared) {
      shared.holders.clear();
      this.#closeUnheld(key, shared);
    }
  }

  async #takeOrBind(address: Address): Promise<ListeningSocket> {
    const key = keyOf(address);
    const left = this.#left.get(key);
    this.#left.delete(key);
    if (left !== undefined) return left;
    try {
      return await bindSocket(address);
    } catch (error) {
      // Another edge that is about to go may have it, opened since it was asked.
      const taken = hasCode(error, "EADDRINUSE") ? await this.#takeOne(key) : undefined;
      if (taken === undefined) throw error;
      return taken;
    }
  }

  async #takeOne(key: string): Promise<ListeningSocket | undefined> {
    if (this.#take === null) return undefined;
    // One question for all ports that turn out to be taken at once.
    this.#taking ??= this.#takeAgain(this.#take);
    const taken = await this.#taking;
    const socket = taken.get(key);
    taken.delete(key);
    return socket;
  }

  async #takeAgain(take: TakeSockets): Promise<Map<string, ListeningSocket>> {
    try {
      const taken = new Map(await take());
      // By then everybody who waits has had its own. What is kept and not listened on would let connections wait for nobody.
      setImmediate(() => {
        for (const socket of taken.values()) socket.close();
      });
      return taken;
    } finally {
      this.#taking = null;
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
