import type { IncomingMessage, ServerResponse } from "node:http";
import { parse as parseQuery } from "node:querystring";
import { z } from "zod";
import { errorFields } from "#host/log.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError, toErrorBody } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { Lives } from "../access/lives.ts";
import type { RequestGuard } from "../access/request-guard.ts";
import type { Sessions } from "../access/sessions.ts";
import type { Tokens } from "../access/tokens.ts";
import type { WebSite } from "../web/web-site.ts";
import { admit } from "./admit.ts";
import { bodyBytes, limitBytes } from "./body.ts";
import { readPrecondition } from "./etag.ts";
import type { IdempotencyKeys } from "./idempotency.ts";
import { checkParams, checkWith } from "./request-check.ts";
import { callSignal, sendEvents, sendLines, streamHeaders } from "./respond.ts";
import type { Answer, Call, Route } from "./route.ts";
import type { FoundRoute, RouteTable } from "./route-table.ts";
import { sendAnswer, sendError, sendWhole } from "./send-answer.ts";
import { createSlices } from "./slices.ts";

/** How long a body may trickle in unless it is a stream. */
const bodyTimeoutMs = 60_000;
/** Streams (watches, logs) open at once. Each costs a socket and a few kilobytes. */
const maxStreams = 5_000;

export interface AnsweringOptions {
  readonly tokens: Pick<Tokens, "authenticate">;
  readonly sessions: Pick<Sessions, "authenticate">;
  readonly lives: Pick<Lives, "begin">;
  readonly guard: RequestGuard;
  readonly idempotency: IdempotencyKeys;
  readonly clock: Clock;
  readonly log: Log;
  readonly newRequestId: () => string;
  /** Answers with pages of the web UI what is no path of the API. Left out: there are none. */
  readonly web?: Pick<WebSite, "answer">;
}

interface Shared extends AnsweringOptions {
  readonly stopping: AbortSignal;
  readonly slices: ReturnType<typeof createSlices>;
  readonly openStreams: { count: number };
}

/** Answers a request, whatever it is; never fails, and what goes wrong is an answer or in the log. Streams end with `stopping`. */
export function createAnswering(
  options: AnsweringOptions,
  table: RouteTable,
  stopping: AbortSignal,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const shared: Shared = { ...options, stopping, slices: createSlices(options.clock.monotonicMs), openStreams: { count: 0 } };
  return async (request, response) => {
    const { method = "GET" } = request;
    const url = targetOf(request);
    const requestId = requestIdOf(request) ?? options.newRequestId();
    const queryAt = url.indexOf("?");
    const path = queryAt === -1 ? url : url.slice(0, queryAt);
    let found: FoundRoute | null = null;
    try {
      if (isForPages(method, path, request) && (await sendPage(path, request, response, options))) return;
      found = table.find(method, path);
      await answerRoute(found, queryAt === -1 ? "" : url.slice(queryAt + 1), request, response, requestId, shared);
    } catch (error) {
      fail(error, request, response, requestId, found?.route ?? null, options.log);
    }
  };
}

const authority = /^https?:\/\/[^/?#]*/i;

/** The path and query that are asked for, which may have the server's address before them (RFC 9112, 3.2.2). Which address it is, the guard knows by Host. */
function targetOf({ url = "/" }: IncomingMessage): string {
  if (url.startsWith("/")) return url;
  const rest = url.replace(authority, "");
  return rest.startsWith("/") ? rest : `/${rest}`;
}

async function answerRoute(
  { route, params }: FoundRoute,
  queryText: string,
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
  shared: Shared,
): Promise<void> {
  const { headers } = request;
  shared.guard.check({ method: request.method ?? "GET", headers, isUpgrade: false });
  if (route.answer.kind === "upgrade") {
    throw new DroverError("METHOD_NOT_ALLOWED", `${route.path} is a WebSocket, and the request asks for none`, {
      hint: "Open it as a WebSocket.",
    });
  }
  const principal = shared.tokens.authenticate(headers.authorization) ?? shared.sessions.authenticate(headers);
  const admission = admit(route, principal, params);
  checkParams(params);
  const query = readQuery(route, queryText);
  const body = await readBody(route, request);
  admission.checkNamed(query, body);
  if (isStream(route) && request.method === "HEAD") return sendStreamHead(response, requestId);
  const receipt = shared.idempotency.begin(headers["idempotency-key"], route, request, principal, body);
  let signal: AbortSignal | null = null;
  // What is answered at once needs no life of its own.
  using life = principal !== null && isStream(route) ? shared.lives.begin(principal) : null;
  try {
    if (receipt !== null && receipt.repeated !== null) {
      return await sendAnswer(response, receipt.repeated, { "x-request-id": requestId, "idempotency-replayed": "true" });
    }
    const call: Call = {
      params,
      get caller() {
        if (principal === null) throw new Error("a route that asks for nobody wants to know who calls");
        return principal;
      },
      sees: admission.sees,
      requireRight: admission.requireRight,
      precondition: readPrecondition(headers),
      lastEventId: headerText(headers["last-event-id"]),
      receipt,
      // Made when it is asked for: most handlers answer from memory, and a signal of its own costs a request a good part of its time.
      get signal() {
        return (signal ??= callSignal(request, response, life === null ? [shared.stopping] : [shared.stopping, life.signal]));
      },
      requestId,
      userAgent: headerText(headers["user-agent"]) ?? "",
    };
    const answer = await route.handle(call, query, body);
    if ("events" in answer || "lines" in answer) await sendStream(response, answer, shared, call);
    else await sendAnswer(response, answer, { "x-request-id": requestId });
  } finally {
    receipt?.end();
  }
}

const noQuery = z.strictObject({});

function readQuery(route: Route, text: string): unknown {
  // The hot routes have none, and then there is nothing to check.
  if (route.query === undefined && text === "") return null;
  return checkWith(route.query ?? noQuery, parseQuery(text), "query");
}

function isStream({ answer }: Route): boolean {
  return answer.kind === "events" || answer.kind === "lines";
}

async function readBody(route: Route, request: IncomingMessage): Promise<unknown> {
  const rule = route.body ?? { kind: "none" };
  const announced = Number(request.headers["content-length"] ?? 0);
  switch (rule.kind) {
    case "none":
      if (announced > 0) await bodyBytes(request, 1_024, announced, bodyTimeoutMs);
      return null;
    case "bytes":
      return bodyBytes(request, rule.maxBytes, announced, bodyTimeoutMs);
    case "stream":
      return limitBytes(request, rule.maxBytes, announced);
    case "json": {
      const bytes = await bodyBytes(request, rule.maxBytes, announced, bodyTimeoutMs);
      requireJsonType(request.headers["content-type"], bytes.length);
      return checkWith(rule.schema, parseJson(bytes), "body");
    }
    default:
      throw new Error(`unknown body rule ${JSON.stringify(rule satisfies never)}`);
  }
}

function requireJsonType(type: string | undefined, bytes: number): void {
  if (bytes === 0 || /^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type ?? "")) return;
  throw new DroverError("UNSUPPORTED_MEDIA_TYPE", `the body is ${JSON.stringify(type ?? "of no stated type")}, not JSON`, {
    hint: "Send JSON with `Content-Type: application/json`.",
  });
}

function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) return {};
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new DroverError("REQUEST_INVALID", "the body is not JSON", { cause: error, hint: "Check the body; it has to be JSON in UTF-8." });
  }
}

/** There is no end to wait for, and what is never sent need not be made. */
function sendStreamHead(response: ServerResponse, requestId: string): void {
  response.writeHead(200, { ...streamHeaders, "x-request-id": requestId }).end();
}

async function sendStream(
  response: ServerResponse,
  answer: Extract<Answer, { events: unknown } | { lines: unknown }>,
  { openStreams, slices, log }: Shared,
  { requestId, signal }: Call,
): Promise<void> {
  if (openStreams.count >= maxStreams) {
    throw new DroverError("OVERLOADED", `${maxStreams} streams are open already`, {
      hint: "Close watches that are not needed, and try again.",
    });
  }
  openStreams.count++;
  response.setHeader("x-request-id", requestId);
  try {
    if ("events" in answer) await sendEvents(response, answer.events, slices, signal);
    else await sendLines(response, answer.lines, signal);
  } catch (error) {
    if (!response.headersSent) throw error;
    if (!signal.aborted) log.error("stream failed", { request_id: requestId, ...errorFields(error) });
  } finally {
    openStreams.count--;
  }
}

function fail(error: unknown, request: IncomingMessage, response: ServerResponse, requestId: string, route: Route | null, log: Log): void {
  const body = toErrorBody(error);
  // Whoever went away in the middle of a request is nobody's defect.
  const isGone = response.destroyed || request.errored !== null;
  if (body.code === "INTERNAL") {
    const { method } = request;
    log[isGone ? "debug" : "error"]("request failed", { request_id: requestId, method, route: route?.path ?? null, ...errorFields(error) });
  }
  if (!response.headersSent && !response.destroyed) sendError(response, body, requestId);
  // A half of an answer must not pass for a whole one.
  else if (!response.writableEnded) response.destroy();
}

/** What a browser opens, or loads for what it opened; programs that take a wrong path are told so. */
function isForPages(method: string, path: string, { headers }: IncomingMessage): boolean {
  if ((method !== "GET" && method !== "HEAD") || path.startsWith("/v1/")) return false;
  return path.startsWith("/assets/") || (headers.accept ?? "").includes("text/html");
}

/** False if there is no page at the path. */
async function sendPage(
  path: string,
  { method = "GET", headers }: IncomingMessage,
  response: ServerResponse,
  { web, guard }: AnsweringOptions,
): Promise<boolean> {
  if (web === undefined) return false;
  guard.check({ method, headers, isUpgrade: false });
  const page = await web.answer(path, headers);
  if (page !== null) sendWhole(response, page.status, { ...page.headers }, page.body);
  return page !== null;
}

function requestIdOf({ headers }: IncomingMessage): string | null {
  const given = headers["x-request-id"];
  return typeof given === "string" && /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : null;
}

function headerText(value: string | readonly string[] | undefined): string | null {
  return typeof value === "string" ? value : null;
}
