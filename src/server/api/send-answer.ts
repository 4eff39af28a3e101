import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Answer } from "./route.ts";
import { usualHeaders, type WholeAnswer, wholeAnswer } from "./whole-answer.ts";

/** Sends everything but streams. `headers` are those that this answer has besides the ones of its kind. */
export async function sendAnswer(
  response: ServerResponse,
  answer: Exclude<Answer, { events: unknown } | { lines: unknown }>,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  if (!("pieces" in answer)) return sendWhole(response, wholeAnswer(answer, headers));
  response.writeHead(200, { ...usualHeaders(headers), "content-type": answer.type });
  await pipeline(Readable.from(answer.pieces), response);
}

/** Head and body in one write. */
export function sendWhole(response: ServerResponse, { status, headers, body }: WholeAnswer): void {
  response.writeHead(status, { ...headers }).end(body ?? undefined);
}
