import type { IncomingMessage, ServerResponse } from "node:http";
import { drained } from "#link/ndjson.ts";
import { DroverError, type ErrorBody, errorCodes, toErrorBody } from "#model/errors.ts";
import type { SentEvent } from "./route.ts";
import type { Slices } from "./slices.ts";

/** How often a quiet stream shows that it lives, so that neither side waits for a peer that is gone. */
const heartbeatMs = 15_000;

export const streamHeaders = { "cache-control": "no-store", "x-accel-buffering": "no", "x-content-type-options": "nosniff" } as const;

/** Headers that every error carries besides its body. */
export function errorHeaders(body: ErrorBody): Record<string, string> {
  if (body.code === "UNAUTHENTICATED") return { "www-authenticate": 'Bearer realm="drover"' };
  if (errorCodes[body.code].status === 503) return { "retry-after": "1" };
  // The rest of the body is still on its way, and nobody reads it.
  if (body.code === "BODY_TOO_LARGE" || body.code === "TIMED_OUT") return { connection: "close" };
  return {};
}

/**
 * Sends server-sent events until the source ends. The first event is awaited before the status is sent, as far as it comes at once, so that
 * a watch of compacted history is refused with its own status; later failures are an event named `error`, and the end.
 */
export async function sendEvents(
  response: ServerResponse,
  source: AsyncIterable<SentEvent>,
  slices: Slices,
  signal: AbortSignal,
): Promise<void> {
  const iterator = source[Symbol.asyncIterator]();
  let next = iterator.next();
  await Promise.race([next, soon()]);
  response.writeHead(200, { ...streamHeaders, "content-type": "text/event-stream" });
  // Tells the reader at once that the watch stands, before anything happens.
  response.write(": watching\n\n");
  const heartbeat = setInterval(() => response.writableLength === 0 && response.write(":\n\n"), heartbeatMs);
  try {
    for (let step = await next; step.done !== true; step = await next) {
      await slices.turn();
      signal.throwIfAborted();
      if (!response.write(frame(step.value))) await drained(response, signal);
      next = iterator.next();
    }
    signal.throwIfAborted();
  } catch (error) {
    const end = endOf(error, signal);
    if (end === null) return;
    response.write(frame({ event: "error", json: JSON.stringify(toErrorBody(end)) }));
    if (!(end instanceof DroverError)) throw end;
  } finally {
    clearInterval(heartbeat);
    response.end();
    await iterator.return?.();
  }
}

function frame({ id, event, json }: SentEvent): string {
  return `${id === undefined ? "" : `id: ${id}\n`}${event === undefined ? "" : `event: ${event}\n`}data: ${json}\n\n`;
}

/** Sends one JSON value a line until the source ends; a failure after the first line is a last line `{ "error": … }`. */
export async function sendLines(response: ServerResponse, source: AsyncIterable<unknown>, signal: AbortSignal): Promise<void> {
  const iterator = source[Symbol.asyncIterator]();
  let next = iterator.next();
  await Promise.race([next, soon()]);
  response.writeHead(200, { ...streamHeaders, "content-type": "application/x-ndjson" });
  response.flushHeaders();
  const heartbeat = setInterval(() => response.writableLength === 0 && response.write("\n"), heartbeatMs);
  try {
    for (let step = await next; step.done !== true; step = await next) {
      signal.throwIfAborted();
      if (!response.write(`${JSON.stringify(step.value)}\n`)) await drained(response, signal);
      next = iterator.next();
    }
    signal.throwIfAborted();
  } catch (error) {
    const end = endOf(error, signal);
    if (end === null) return;
    response.write(`${JSON.stringify({ error: toErrorBody(end) })}\n`);
    if (!(end instanceof DroverError)) throw end;
  } finally {
    clearInterval(heartbeat);
    response.end();
    await iterator.return?.();
  }
}

/** What the reader of a stream is told of its end: null when the reader is gone or the server stops, which it sees by itself. */
function endOf(error: unknown, signal: AbortSignal): unknown {
  if (!signal.aborted) return error;
  return signal.reason instanceof DroverError ? signal.reason : null;
}

/** A few turns of the event loop: what fails at once has failed by then. */
function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10));
}

/** Aborted when the caller is gone, which it never is after a complete answer to a complete request, or with one of `others`. */
export function callSignal(request: IncomingMessage, response: ServerResponse, others: readonly AbortSignal[]): AbortSignal {
  const gone = new AbortController();
  const abort = () => gone.abort(new Error("the caller went away"));
  if (response.destroyed) abort();
  response.once("close", () => {
    if (!response.writableFinished || !request.complete) abort();
  });
  return AbortSignal.any([gone.signal, ...others]);
}
