import type { WebSocket } from "ws";
import { DroverError } from "#model/errors.ts";
import type { Api } from "./client.ts";

/** A frame of output is at most this long; the agent cuts it far shorter. */
const longestFrameBytes = 4 * 2 ** 20;
const handshakeTimeoutMs = 10_000;

/** Opens a WebSocket on the server. It is paused, so that nothing is missed until the caller listens. @throws {DroverError} SERVER_UNREACHABLE */
export async function openSocket(api: Api, path: string, signal: AbortSignal): Promise<WebSocket> {
  const { WebSocket } = await import("ws");
  const server = await api.address();
  const url = server.kind === "socket" ? `ws+unix://${server.path}:${path}` : new URL(path, server.url.href.replace(/^http/, "ws"));
  const socket = new WebSocket(url, {
    handshakeTimeout: handshakeTimeoutMs,
    maxPayload: longestFrameBytes,
    perMessageDeflate: false,
    headers: { authorization: `Bearer ${server.token}`, ...(server.kind === "socket" ? { host: "localhost" } : {}) },
    ...(server.kind === "url" && server.ca !== null ? { ca: server.ca } : {}),
  });
  await new Promise<void>((resolve, reject) => {
    const onAbort = () => socket.terminate();
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("open", () => {
      signal.removeEventListener("abort", onAbort);
      socket.pause();
      resolve();
    });
    socket.once("error", (error) =>
      reject(
        signal.aborted
          ? signal.reason
          : new DroverError("SERVER_UNREACHABLE", "cannot open a session on the server", { cause: error, hint: "Run the command again." }),
      ),
    );
  });
  return socket;
}
