import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { bodyBytes, limitBytes } from "./body.ts";

/** How long a body may trickle in unless it is a stream. */
const bodyTimeoutMs = 60_000;

/** A request, however its bytes came. */
export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** All of the body. @throws {DroverError} BODY_TOO_LARGE, TIMED_OUT */
  bytes(maxBytes: number): Promise<Buffer>;
  /** The body as it arrives. @throws {DroverError} BODY_TOO_LARGE */
  stream(maxBytes: number): Readable;
  /** Aborted when the caller goes away, or with one of `others`. */
  goneOr(others: readonly AbortSignal[]): AbortSignal;
}

/** A request that Node's own server has read. */
export function askedOverHttp(request: IncomingMessage, response: ServerResponse): Asked {
  const { method = "GET", url = "/", headers } = request;
  const announced = Number(headers["content-length"] ?? 0);
  return {
    method,
    url,
    headers,
    bytes: (maxBytes) => bodyBytes(request, maxBytes, announced, bodyTimeoutMs),
    stream: (maxBytes) => limitBytes(request, maxBytes, announced),
    goneOr: (others) => callSignal(request, response, others),
  };
}

/** Aborted when the caller is gone, which it never is after a complete answer to a complete request, or with one of `others`. */
function callSignal(request: IncomingMessage, response: ServerResponse, others: readonly AbortSignal[]): AbortSignal {
  const gone = new AbortController();
  const abort = () => gone.abort(new Error("the caller went away"));
  if (response.destroyed) abort();
  response.once("close", () => {
    if (!response.writableFinished || !request.complete) abort();
  });
  return AbortSignal.any([gone.signal, ...others]);
}
