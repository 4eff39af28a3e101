import type { ServerResponse } from "node:http";
import { errorFields } from "#host/log.ts";
import { drained } from "#link/ndjson.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError, toErrorBody } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { Answer, Call, SentEvent } from "./route.ts";
import { createSlices, type Slices } from "./slices.ts";

/** Streams (watches, logs) open at once. Each costs a socket and a few kilobytes. */
const maxStreams = 5_000;
/** How often a quiet stream shows that it lives, so that neither side waits for a peer that is gone. */
const heartbeatMs = 15_000;

export const streamHeaders = { "cache-control": "no-store", "x-accel-buffering": "no", "x-content-type-options": "nosniff" } as const;

/** The streams of one API. */
export interface Streams {
  /** @throws {DroverError} OVERLOADED; and whatever the source fails with before anything of it is sent */
  send(response: ServerResponse, answer: Extract<Answer, { events: unknown } | { lines: unknown }>, call: Call): Promise<void>;
}

export function createStreams(clock: Clock, log: Log): Streams {
  const slices = createSlices(clock.monotonicMs);
  let open = 0;
  return {
    send: async (response, answer, { requestId, signal }) => {
      if (open >= maxStreams) {
        throw new DroverError("OVERLOADED", `${maxStreams} streams are open already`, {
          hint: "Close watches that are not needed, and try again.",
        });
      }
      open++;
      response.setHeader("x-request-id", requestId);
      try {
        if ("events" in answer) await sendEvents(response, answer.events, slices, signal);
        else await sendLines(response, answer.lines, signal);
      } catch (error) {
        if (!response.headersSent) throw error;
        if (!signal.aborted) log.error("stream failed", { request_id: requestId, ...errorFields(error) });
      } finally {
        open--;
      }
    },
  };
}

/**
 * Sends server-sent events until the source ends. The first event is awaited before the status is sent, as far as it comes at once, so that
 * a watch of compacted history is refused with its own status; later failures are an event named `error`, and the end.
 */
async function sendEvents(response: ServerResponse, source: AsyncIterable<SentEvent>, slices: Slices, signal: AbortSignal): Promise<void> {
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
async function sendLines(response: ServerResponse, source: AsyncIterable<unknown>, signal: AbortSignal): Promise<void> {
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
