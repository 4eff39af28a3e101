import { type ErrorBody, errorCodes } from "#model/errors.ts";
import { entityTag } from "./etag.ts";
import type { Answer } from "./route.ts";

type Headers = Record<string, string | number>;

/** An answer that is there as a whole before any of it is sent. */
export interface WholeAnswer {
  readonly status: number;
  readonly headers: Readonly<Headers>;
  /** Null: there is none, not even an empty one. */
  readonly body: string | Uint8Array | null;
}

/** Every answer but those that are made while they are sent. */
export type Whole = Exclude<Answer, { events: unknown } | { lines: unknown } | { pieces: unknown }>;

/** @param headers those that this answer has besides the ones of its kind */
export function wholeAnswer(answer: Whole, headers: Readonly<Record<string, string>>): WholeAnswer {
  const all = usualHeaders(headers);
  if (answer.etag !== undefined) all["etag"] = entityTag(answer.etag);
  if ("headers" in answer) for (const [name, value] of Object.entries(answer.headers ?? {})) all[name] = requireFieldValue(value);
  if ("bytes" in answer) {
    all["content-type"] = "application/octet-stream";
    return withLength(200, all, answer.bytes);
  }
  if ("page" in answer) {
    all["content-type"] = "text/html; charset=utf-8";
    all["content-security-policy"] = answer.policy;
    // Its address may be a secret. Not `no-referrer`: forms would then be sent without a usable Origin, and refused as another site's.
    all["referrer-policy"] = "same-origin";
    return withLength(answer.status ?? 200, all, answer.page);
  }
  if ("json" in answer) {
    all["content-type"] = "application/json; charset=utf-8";
    return withLength(answer.status ?? 200, all, JSON.stringify(answer.json));
  }
  return { status: 204, headers: all, body: null };
}

export function wholeError(error: ErrorBody, requestId: string): WholeAnswer {
  const headers = {
    ...usualHeaders({ "x-request-id": requestId }),
    ...errorHeaders(error),
    "content-type": "application/json; charset=utf-8",
  };
  return withLength(errorCodes[error.code].status, headers, JSON.stringify(error));
}

/** Headers that every error carries besides its body. */
function errorHeaders(body: ErrorBody): Record<string, string> {
  if (body.code === "UNAUTHENTICATED") return { "www-authenticate": 'Bearer realm="drover"' };
  if (errorCodes[body.code].status === 503) return { "retry-after": "1" };
  // The rest of the body is still on its way, and nobody reads it.
  if (body.code === "BODY_TOO_LARGE" || body.code === "TIMED_OUT") return { connection: "close" };
  return {};
}

/** What ends its line would begin a field of its own. */
function requireFieldValue(value: string): string {
  if (!/^[\t -~\x80-\xff]*$/.test(value)) throw new Error("a header field of an answer has characters that end it");
  return value;
}

/** What every answer of the API has. */
export function usualHeaders(headers: Readonly<Record<string, string>>): Headers {
  return { "cache-control": "no-store", "x-content-type-options": "nosniff", ...headers };
}

export function withLength(status: number, headers: Headers, body: string | Uint8Array): WholeAnswer {
  headers["content-length"] = Buffer.byteLength(body);
  return { status, headers, body };
}
