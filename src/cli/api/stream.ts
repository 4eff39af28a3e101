import type { IncomingMessage } from "node:http";
import { type ErrorBody, fromErrorBody } from "#model/errors.ts";

/** Longest line of a stream: a log line of 64 KiB in JSON, escaped in full, stays below it. */
const longestLineBytes = 2 ** 20;

/**
 * The JSON values of a stream: one a line, or the `data` of server-sent events. Leaving the loop ends the request.
 * @throws {DroverError} with which the server ended the stream
 */
export async function* readStream(response: IncomingMessage): AsyncGenerator<unknown, void, void> {
  const isEvents = response.headers["content-type"]?.startsWith("text/event-stream") ?? false;
  let event = "message";
  try {
    for await (const line of lines(response)) {
      if (line === "") {
        event = "message";
      } else if (!isEvents) {
        const value: unknown = JSON.parse(line);
        if (isFailure(value)) throw fromErrorBody(value.error);
        yield value;
      } else if (line.startsWith("event:")) {
        event = line.slice(6).trim();
      } else if (line.startsWith("data:")) {
        const value: unknown = JSON.parse(line.slice(5));
        if (event === "error") throw fromErrorBody(value as ErrorBody);
        yield value;
      }
    }
  } finally {
    response.destroy();
  }
}

/** The last line of a stream of values that broke off: an object with nothing but the error. */
function isFailure(value: unknown): value is { error: ErrorBody } {
  return typeof value === "object" && value !== null && "error" in value && Object.keys(value).length === 1;
}

async function* lines(response: IncomingMessage): AsyncGenerator<string, void, void> {
  let rest = "";
  response.setEncoding("utf8");
  for await (const chunk of response as AsyncIterable<string>) {
    rest += chunk;
    let start = 0;
    for (let end = rest.indexOf("\n"); end !== -1; end = rest.indexOf("\n", start)) {
      yield rest.slice(start, rest[end - 1] === "\r" ? end - 1 : end);
      start = end + 1;
    }
    rest = rest.slice(start);
    if (rest.length > longestLineBytes) throw new RangeError(`a line of the server's answer is longer than ${longestLineBytes} bytes`);
  }
  if (rest !== "") yield rest;
}
