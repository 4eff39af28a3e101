import { lookup } from "node:dns/promises";
import net from "node:net";
import { systemError } from "./bindings.ts";

/**
 * A socket that is bound, for others to listen on: whoever holds it takes no connections itself, and as long as anyone holds it the kernel keeps
 * those that wait. `Server.listen` takes it, `ChildProcess.send` hands it on, and `fd` can be inherited.
 */
export interface ListeningSocket {
  readonly fd: number;
  close(): void;
  getsockname(into: { port?: number }): number;
}

/** Node makes these for its own cluster module and exports the function under this name; nothing public binds without accepting. */
type Create = (address: string | null, port: number, type: number, fd?: number, flags?: number) => ListeningSocket | number;
const create = (net as unknown as { readonly _createServerHandle: Create })._createServerHandle;

/** Port 0 takes a free one. @throws {Error} with the system's code, such as EADDRINUSE. */
export async function bindSocket({ host, port }: { readonly host: string; readonly port: number }): Promise<ListeningSocket> {
  const { address, family } = await lookup(host);
  const socket = create(address, port, family);
  if (typeof socket === "number") throw systemError(socket, `cannot listen on ${host}:${port}`);
  try {
    // A port that is taken is told late by the kernel's interface below Node's: here, when the address is asked for.
    const bound = portOf(socket, host, port);
    if (port !== 0 && bound !== port) throw systemError(addressInUse, `cannot listen on ${host}:${port}`);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** Takes a descriptor that was inherited. @throws {Error} with the system's code if it is no socket that is bound. */
export function openSocket(fd: number): ListeningSocket {
  const socket = create(null, 0, 4, fd);
  if (typeof socket === "number") throw systemError(socket, `cannot listen on descriptor ${fd}`);
  return socket;
}

/** The port that it is bound to. */
export function portOf(socket: ListeningSocket, host = "", port = 0): number {
  const name: { port?: number } = {};
  const code = socket.getsockname(name);
  if (code !== 0) throw systemError(code, `cannot listen on ${host}:${port}`);
  return name.port ?? 0;
}

const addressInUse = -98;
