import { connect, type Socket } from "node:net";
import { DroverError } from "#model/errors.ts";
import { type Neighbour, nearConnectMs, partRequest } from "#model/programs.ts";

/** Of a machine that gives parts. */
export type PartSource = Pick<Neighbour, "host" | "port" | "token">;

/**
 * The bytes of a part as another machine gives them, which need not be those of its digest. To be destroyed.
 * @throws {DroverError} UNHEALTHY if it takes no connection
 */
export async function fetchPart({ host, port, token }: PartSource, digest: string, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ host, port });
  const away = new DroverError("UNHEALTHY", `the neighbour at ${host}:${port} takes no connection`, { hint: "Copy from elsewhere." });
  socket.setTimeout(nearConnectMs, () => socket.destroy(away));
  signal.addEventListener("abort", () => socket.destroy(), { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", (cause) => reject(cause === away ? away : new DroverError(away.code, away.message, { hint: away.hint, cause })));
      socket.once("close", () => reject(away));
    });
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw error;
  }
  socket.write(partRequest(token, digest));
  return socket;
}
