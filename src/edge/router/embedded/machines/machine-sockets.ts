import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

/** Open connections between machines by the name of the one at the other end: with its membership they end. */
export class MachineSockets {
  readonly #byName = new Map<string, Set<Socket>>();

  add(name: string, socket: Socket): void {
    const sockets = this.#byName.get(name) ?? new Set();
    this.#byName.set(name, sockets.add(socket));
    socket.on("close", () => {
      sockets.delete(socket);
      if (sockets.size === 0 && this.#byName.get(name) === sockets) this.#byName.delete(name);
    });
  }

  /** Cuts those of machines that are no members any more. */
  keep(members: readonly string[]): void {
    const known = new Set(members);
    for (const [name, sockets] of this.#byName) if (!known.has(name)) for (const socket of [...sockets]) cut(socket);
  }

  get size(): number {
    let size = 0;
    for (const sockets of this.#byName.values()) size += sockets.size;
    return size;
  }

  destroy(): void {
    this.keep([]);
  }
}

/** By a reset, so that nobody takes it for the end of an answer; what is over TLS here is known to be broken by whoever reads it. */
export function cut(socket: Socket): void {
  if (socket instanceof TLSSocket || socket.destroyed || socket.connecting) socket.destroy();
  else socket.resetAndDestroy();
}
