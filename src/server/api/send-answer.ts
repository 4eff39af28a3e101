import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type ErrorBody, errorCodes } from "#model/errors.ts";
import { entityTag } from "./etag.ts";
import { errorHeaders } from "./respond.ts";
import type { Answer } from "./route.ts";

type Headers = Record<string, string | number>;

/** Sends everything but streams. `headers` are those that this answer has besides the ones of its kind. */
export async function sendAnswer(
  response: ServerResponse,
  answer: Exclude<Answer, { events: unknown } | { lines: unknown }>,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  const all: Headers = { "cache-control": "no-store", "x-content-type-options": "nosniff", ...headers };
  if ("etag" in answer && answer.etag !== undefined) all["etag"] = entityTag(answer.etag);
  if ("headers" in answer && answer.headers !== undefined) Object.assign(all, answer.headers);
  if ("pieces" in answer) {
    all["content-type"] = answer.type;
    response.writeHead(200, all);
    await pipeline(Readable.from(answer.pieces), response);
    return;
  }
  if ("bytes" in answer) {
    all["content-type"] = "application/octet-stream";
    return sendWhole(response, 200, all, answer.bytes);
  }
  if ("page" in answer) {
    all["content-type"] = "text/html; charset=utf-8";
    all["content-security-policy"] = answer.policy;
    // Its address may be a secret. Not `no-referrer`: forms would then be sent without a usable Origin, and refused as another site's.
    all["referrer-policy"] = "same-origin";
    return sendWhole(response, answer.status ?? 200, all, answer.page);
  }
  if ("json" in answer) {
    all["content-type"] = "application/json; charset=utf-8";
    return sendWhole(response, answer.status ?? 200, all, JSON.stringify(answer.json));
  }
  response.writeHead(204, all).end();
}

export function sendError(response: ServerResponse, body: ErrorBody, requestId: string): void {
  sendWhole(
    response,
    errorCodes[body.code].status,
    {
      ...errorHeaders(body),
      "content-type": "application/json; charset=utf-8",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-request-id": requestId,
    },
    JSON.stringify(body),
  );
}

/** Head and body in one write. */
export function sendWhole(response: ServerResponse, status: number, headers: Headers, body: string | Uint8Array): void {
  headers["content-length"] = Buffer.byteLength(body);
  response.writeHead(status, headers).end(body);
}
