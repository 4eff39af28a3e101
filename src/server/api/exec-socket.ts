import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { z } from "zod";
import { readJsonLines } from "#link/ndjson.ts";
import { DroverError, toErrorBody } from "#model/errors.ts";
import type { ExecInput, ExecOutput } from "#model/exec.ts";
import { execSignals } from "#model/exec.ts";
import { parseJson } from "#model/shape.ts";
import type { Services } from "./services.ts";

/** Longest message from a terminal: a large paste comes in pieces. */
const maxMessageBytes = 2 ** 20;
/** A terminal that says nothing for so long is told to close; nobody sits there. */
const idleMs = 60 * 60_000;
const pingEveryMs = 15_000;
/** How long the other side may take to agree to the end. */
const closeMs = 1_000;
/** Bytes that may wait for a slow reader before the command is held back. */
const maxWaitingBytes = 2 ** 20;

/** What a caller may send; `start` is ours alone, since the ticket already says what runs where. */
const inputMessage = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("input"), base64: z.base64() }),
  z.strictObject({ kind: z.literal("end") }),
  z.strictObject({ kind: z.literal("resize"), columns: z.int().min(1).max(10_000), rows: z.int().min(1).max(10_000) }),
  z.strictObject({ kind: z.literal("signal"), signal: z.enum(execSignals) }),
]) satisfies z.ZodType<ExecInput>;

export type OpenExecSocket = (ticket: string, request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>;

/** Joins WebSockets of terminals with the agent that runs their commands. Stops with `stopping`. */
export function createExecSockets(
  services: Pick<Services, "tickets" | "lives" | "controlPlane" | "log">,
  stopping: AbortSignal,
): OpenExecSocket {
  return async (ticket, request, socket, head) => {
    const { request: start, holder } = services.tickets.redeem(ticket);
    const life = services.lives.begin(holder);
    const gone = new AbortController();
    socket.once("close", () => {
      gone.abort(new Error("the terminal went away"));
      life[Symbol.dispose]();
    });
    const signal = AbortSignal.any([gone.signal, stopping, life.signal]);
    signal.throwIfAborted();
    // Before the handshake, so that a missing agent is an answer with a status.
    const command = await services.controlPlane.exec(start.where, signal);
    const { WebSocketServer } = await import("ws");
    const server = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes, perMessageDeflate: false });
    server.handleUpgrade(request, socket, head, (webSocket) => {
      command.write(`${JSON.stringify({ kind: "start", request: start } satisfies ExecInput)}\n`);
      void join(webSocket, command, gone, signal, services);
    });
  };
}

async function join(
  webSocket: WebSocket,
  command: Duplex,
  gone: AbortController,
  signal: AbortSignal,
  { log }: Pick<Services, "log">,
): Promise<void> {
  const close = () => gone.abort(new Error("the terminal closed"));
  const idle = setTimeout(close, idleMs);
  const ping = setInterval(() => webSocket.ping(), pingEveryMs);
  command.on("error", (error) => log.debug("exec stream failed", { error: error.message }));
  webSocket.on("error", (error) => log.debug("exec socket failed", { error: error.message }));
  webSocket.once("close", close);
  webSocket.on("message", (data) => {
    idle.refresh();
    const input = parseInput(String(data));
    if (input === null) webSocket.close(1008, "a message that is no ExecInput");
    else if (!command.write(`${JSON.stringify(input)}\n`)) {
      webSocket.pause();
      command.once("drain", () => webSocket.resume());
    }
  });
  const onAbort = () => command.destroy();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for await (const output of readJsonLines(command)) {
      webSocket.send(JSON.stringify(output as ExecOutput));
      idle.refresh();
      await taken(webSocket, signal);
    }
    webSocket.close(1000);
  } catch (error) {
    if (webSocket.readyState === webSocket.OPEN) {
      const end = signal.reason instanceof DroverError ? signal.reason : error;
      webSocket.send(JSON.stringify({ kind: "error", error: toErrorBody(end) } satisfies ExecOutput));
      webSocket.close(1011);
    }
    if (!signal.aborted) log.warn("exec ended early", { error: error instanceof Error ? error.message : String(error) });
  } finally {
    clearTimeout(idle);
    clearInterval(ping);
    signal.removeEventListener("abort", onAbort);
    command.destroy();
    // A peer that does not answer the close would keep a stopping server waiting.
    setTimeout(() => webSocket.terminate(), closeMs).unref();
  }
}

function parseInput(text: string): ExecInput | null {
  // What is not JSON fits no shape either; the caller is told by the close of the socket.
  const input = inputMessage.safeParse(parseJson(text));
  return input.success ? input.data : null;
}

/** Resolves when the reader has taken enough; polled, because the library tells only of single messages. */
async function taken(webSocket: WebSocket, signal: AbortSignal): Promise<void> {
  while (webSocket.bufferedAmount > maxWaitingBytes) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
