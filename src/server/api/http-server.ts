import type { Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import { type Duplex, Readable } from "node:stream";
import type { Server as TlsServer } from "node:tls";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { z } from "zod";
import { errorFields } from "#host/log.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError, errorCodes, hasCode, toErrorBody } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { Lives } from "../access/lives.ts";
import type { RequestGuard } from "../access/request-guard.ts";
import type { Sessions } from "../access/sessions.ts";
import type { Tokens } from "../access/tokens.ts";
import { listenOnSocket } from "../unix-socket.ts";
import type { WebSite } from "../web/web-site.ts";
import { admit, checkRule } from "./admit.ts";
import { bodyBytes, limitBytes } from "./body.ts";
import { entityTag, readPrecondition } from "./etag.ts";
import type { IdempotencyKeys } from "./idempotency.ts";
import { checkParams, checkWith } from "./request-check.ts";
import { callSignal, errorHeaders, sendEvents, sendLines } from "./respond.ts";
import type { Answer, Call, Method, Route } from "./route.ts";
import { createSlices } from "./slices.ts";

/** Most bytes of a request's head: a token, an idempotency key and a long path fit many times. */
const maxHeaderBytes = 16 * 1024;
/** How long a request's head may trickle in, and its body unless it is a stream. */
const headersTimeoutMs = 10_000;
const bodyTimeoutMs = 60_000;
/** How long an idle connection is kept for the next request. */
const keepAliveMs = 65_000;
/** How long requests in flight may go on when the server stops: what they wait for is durable in milliseconds. */
const closeGraceMs = 1_000;
/** Open connections; beyond, new ones are closed at once so that the ones that are served stay fast. */
const maxConnections = 10_000;
/** Streams (watches, logs) open at once. Each costs a socket and a few kilobytes. */
const maxStreams = 5_000;

export interface ApiOptions {
  readonly routes: readonly Route[];
  readonly tokens: Pick<Tokens, "authenticate">;
  readonly sessions: Pick<Sessions, "authenticate">;
  readonly lives: Pick<Lives, "begin">;
  readonly guard: RequestGuard;
  readonly idempotency: IdempotencyKeys;
  readonly clock: Clock;
  readonly log: Log;
  readonly newRequestId: () => string;
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Answers with pages of the web UI what is no path of the API. Left out: there are none. */
  readonly web?: Pick<WebSite, "answer">;
  /** Takes over an upgraded connection at `/v1/exec/<ticket>`. */
  readonly upgrade: (ticket: string, request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>;
}

export interface Api {
  /** @returns the port, which is the given one unless that is 0. @throws {DroverError} PORT_IN_USE */
  listen(address: { readonly host: string; readonly port: number }): Promise<number>;
  /** Answers on a Unix socket that only this user may open. */
  listenOnSocket(file: string): Promise<void>;
  /** New connections get this certificate; open ones keep theirs. */
  renewTls(tls: { readonly key: string; readonly cert: string }): void;
  /** Ends streams, lets requests in flight finish, closes. */
  close(): Promise<void>;
}

/** An API that answers `routes`, on one address or one Unix socket. */
export async function createApi(options: ApiOptions): Promise<Api> {
  const { routes, log, clock } = options;
  const stopping = new AbortController();
  const app = fastify({
    logger: false,
    genReqId: (request: IncomingMessage) => requestIdOf(request) ?? options.newRequestId(),
    bodyLimit: 2 ** 20,
    // Requests are checked by the schemas of the routes. Fastify's own compilers are two hundred files that would be read for nothing.
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    forceCloseConnections: "idle",
    routerOptions: { maxParamLength: 2_048, caseSensitive: true },
    keepAliveTimeout: keepAliveMs,
    // Bodies have their own deadlines: a stream of a source may take long, while JSON may not.
    requestTimeout: 0,
    http: { maxHeaderSize: maxHeaderBytes, headersTimeout: headersTimeoutMs },
    ...(options.tls === undefined
      ? {}
      : { https: { ...options.tls, minVersion: "TLSv1.3", maxHeaderSize: maxHeaderBytes, headersTimeout: headersTimeoutMs } }),
    clientErrorHandler,
    frameworkErrors: (error: unknown, request: FastifyRequest, reply: FastifyReply) => sendError(error, request, reply, log),
  } as Parameters<typeof fastify>[0]) as unknown as FastifyInstance;
  const server = app.server as HttpServer;
  server.maxConnections = maxConnections;

  app.removeAllContentTypeParsers();
  // Bodies are read by the route, under its own limit, and only after the caller was let in.
  app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
  app.setNotFoundHandler(async (request, reply) => {
    if (options.web === undefined || !isForPages(request)) throw unknownRoute(routes, request.method, request.url);
    options.guard.check({ method: request.method, headers: request.headers, isUpgrade: false });
    const page = await options.web.answer(request.url.split("?", 1)[0] as string, request.headers);
    if (page === null) throw unknownRoute(routes, request.method, request.url);
    return reply.code(page.status).headers(page.headers).send(page.body);
  });
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply, log));

  const shared: Shared = { ...options, stopping: stopping.signal, slices: createSlices(clock.monotonicMs), openStreams: { count: 0 } };
  for (const route of routes) {
    checkRule(route);
    if (route.answer.kind !== "upgrade") app.route({ method: route.method, url: route.path, handler: handlerOf(route, shared) });
  }
  server.on("upgrade", (request, socket, head) => void upgrade(request, socket, head, options));
  await app.ready();

  return {
    listen: async ({ host, port }) => {
      try {
        await app.listen({ host, port, backlog: 4_096 });
      } catch (error) {
        if (!hasCode(error, "EADDRINUSE") && !hasCode(error, "EACCES") && !hasCode(error, "EADDRNOTAVAIL")) throw error;
        throw new DroverError("PORT_IN_USE", `the API cannot listen on ${host}:${port}`, {
          cause: error,
          hint: "Stop what listens there, or choose another address with `--api HOST:PORT`.",
        });
      }
      const bound = server.address();
      return typeof bound === "object" && bound !== null ? bound.port : port;
    },
    listenOnSocket: (file) => listenOnSocket(server, file),
    renewTls: (tls) => (app.server as unknown as TlsServer).setSecureContext({ ...tls, minVersion: "TLSv1.3" }),
    close: async () => {
      stopping.abort(new Error("the server stops"));
      // Idle connections are closed at once; one that never asked anything does not count as idle.
      const cut = setTimeout(() => server.closeAllConnections(), closeGraceMs);
      await app.close();
      clearTimeout(cut);
    },
  };
}

function noCompiler(): never {
  throw new Error("no route has a schema of fastify's kind");
}

interface Shared extends ApiOptions {
  readonly stopping: AbortSignal;
  readonly slices: ReturnType<typeof createSlices>;
  readonly openStreams: { count: number };
}

function handlerOf(route: Route, shared: Shared): (request: FastifyRequest, reply: FastifyReply) => Promise<unknown> {
  return async (request, reply) => {
    shared.guard.check({ method: request.method, headers: request.headers, isUpgrade: false });
    const principal = shared.tokens.authenticate(request.headers.authorization) ?? shared.sessions.authenticate(request.headers);
    const params = request.params as Readonly<Record<string, string>>;
    const admission = admit(route, principal, params);
    checkParams(params);
    const query = readQuery(route, request.query);
    const body = await readBody(route, request);
    admission.checkNamed(query, body);
    const receipt = shared.idempotency.begin(request.headers["idempotency-key"], route, request, principal, body);
    let signal: AbortSignal | null = null;
    // What is answered at once needs no life of its own.
    using life = principal !== null && isStream(route) ? shared.lives.begin(principal) : null;
    try {
      if (receipt !== null && receipt.repeated !== null) return send(reply.header("idempotency-replayed", "true"), receipt.repeated);
      const call: Call = {
        params,
        get caller() {
          if (principal === null) throw new Error("a route that asks for nobody wants to know who calls");
          return principal;
        },
        sees: admission.sees,
        requireRight: admission.requireRight,
        precondition: readPrecondition(request.headers),
        lastEventId: headerText(request.headers["last-event-id"]),
        receipt,
        // Made when it is asked for: most handlers answer from memory, and a signal of its own costs a request a good part of its time.
        get signal() {
          return (signal ??= callSignal(request.raw, reply.raw, life === null ? [shared.stopping] : [shared.stopping, life.signal]));
        },
        requestId: request.id,
        userAgent: headerText(request.headers["user-agent"]) ?? "",
      };
      const answer = await route.handle(call, query, body);
      if ("events" in answer || "lines" in answer) return await stream(reply, answer, shared, call.signal);
      return send(reply, answer);
    } finally {
      receipt?.end();
    }
  };
}

const noQuery = z.strictObject({});

function readQuery(route: Route, given: unknown): unknown {
  // The hot routes have none, and then there is nothing to check.
  if (route.query === undefined && Object.keys(given as object).length === 0) return null;
  return checkWith(route.query ?? noQuery, given, "query");
}

function isStream({ answer }: Route): boolean {
  return answer.kind === "events" || answer.kind === "lines";
}

async function readBody(route: Route, request: FastifyRequest): Promise<unknown> {
  const rule = route.body ?? { kind: "none" };
  const payload = (request.body ?? request.raw) as Readable;
  const announced = Number(request.headers["content-length"] ?? 0);
  switch (rule.kind) {
    case "none":
      if (announced > 0) await bodyBytes(payload, 1_024, announced, bodyTimeoutMs);
      return null;
    case "bytes":
      return bodyBytes(payload, rule.maxBytes, announced, bodyTimeoutMs);
    case "stream":
      return limitBytes(payload, rule.maxBytes, announced);
    case "json": {
      const bytes = await bodyBytes(payload, rule.maxBytes, announced, bodyTimeoutMs);
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

function send(reply: FastifyReply, answer: Exclude<Answer, { events: unknown } | { lines: unknown }>): FastifyReply {
  reply.header("cache-control", "no-store").header("x-content-type-options", "nosniff").header("x-request-id", reply.request.id);
  if ("etag" in answer && answer.etag !== undefined) reply.header("etag", entityTag(answer.etag));
  if ("headers" in answer && answer.headers !== undefined) reply.headers(answer.headers);
  if ("bytes" in answer) return reply.header("content-type", "application/octet-stream").send(answer.bytes);
  if ("pieces" in answer) return reply.header("content-type", answer.type).send(Readable.from(answer.pieces));
  if ("page" in answer) {
    return (
      reply
        .code(answer.status ?? 200)
        .headers({ "content-type": "text/html; charset=utf-8", "content-security-policy": answer.policy })
        // Its address may be a secret. Not `no-referrer`: forms would then be sent without a usable Origin, and refused as another site's.
        .header("referrer-policy", "same-origin")
        .send(answer.page)
    );
  }
  if ("json" in answer) {
    return reply
      .code(answer.status ?? 200)
      .header("content-type", "application/json; charset=utf-8")
      .send(JSON.stringify(answer.json));
  }
  return reply.code(204).send();
}

async function stream(
  reply: FastifyReply,
  answer: Extract<Answer, { events: unknown } | { lines: unknown }>,
  shared: Shared,
  signal: AbortSignal,
): Promise<void> {
  const { openStreams, slices } = shared;
  if (openStreams.count >= maxStreams) {
    throw new DroverError("OVERLOADED", `${maxStreams} streams are open already`, {
      hint: "Close watches that are not needed, and try again.",
    });
  }
  openStreams.count++;
  const response = reply.raw as ServerResponse;
  response.setHeader("x-request-id", reply.request.id);
  try {
    if ("events" in answer) await sendEvents(response, answer.events, slices, signal);
    else await sendLines(response, answer.lines, signal);
    reply.hijack();
  } catch (error) {
    if (!response.headersSent) throw error;
    reply.hijack();
    if (!signal.aborted) shared.log.error("stream failed", { request_id: reply.request.id, ...errorFields(error) });
  } finally {
    openStreams.count--;
  }
}

function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): void {
  const body = toErrorBody(fromFastify(error));
  // Whoever went away in the middle of a request is nobody's defect.
  const isGone = reply.raw.destroyed || request.raw.errored !== null;
  if (body.code === "INTERNAL")
    log[isGone ? "debug" : "error"]("request failed", {
      request_id: request.id,
      method: request.method,
      route: request.routeOptions.url ?? null,
      ...errorFields(error),
    });
  if (reply.raw.headersSent || reply.raw.destroyed) return;
  reply
    .code(errorCodes[body.code].status)
    .headers({
      ...errorHeaders(body),
      "content-type": "application/json; charset=utf-8",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-request-id": request.id,
    })
    .send(JSON.stringify(body));
}

/** The framework's own refusals in our words. */
function fromFastify(error: unknown): unknown {
  if (error instanceof DroverError) return error;
  const status = typeof error === "object" && error !== null && "statusCode" in error ? error.statusCode : null;
  if (status === 413) return new DroverError("BODY_TOO_LARGE", "the body is over its limit", { cause: error, hint: "Send less at once." });
  if (status === 415)
    return new DroverError("UNSUPPORTED_MEDIA_TYPE", "the body is of a type that is not read here", {
      cause: error,
      hint: "Send JSON with `Content-Type: application/json`.",
    });
  if (typeof status === "number" && status >= 400 && status < 500) {
    return new DroverError("REQUEST_INVALID", "the request is malformed", {
      cause: error,
      hint: "Check the path, the query and the headers against the API's reference.",
    });
  }
  return error;
}

/** What a browser opens, or loads for what it opened; programs that take a wrong path are told so. */
function isForPages({ method, url, headers }: FastifyRequest): boolean {
  if ((method !== "GET" && method !== "HEAD") || url.startsWith("/v1/")) return false;
  return url.startsWith("/assets/") || (headers.accept ?? "").includes("text/html");
}

/** `:name` and `*` parts of a path match anything, so a known path with another method can be told from an unknown one. */
function unknownRoute(routes: readonly Route[], method: string, url: string): DroverError {
  const path = url.split("?", 1)[0] as string;
  const methods = routes.filter((route) => pathPattern(route.path).test(path)).map((route) => route.method);
  const text = path.length > 200 ? `${path.slice(0, 200)}…` : path;
  if (methods.length === 0) {
    return new DroverError("ROUTE_UNKNOWN", `the API has no path ${JSON.stringify(text)}`, {
      hint: "The API's reference is docs/openapi.json; all paths start with /v1/.",
    });
  }
  return new DroverError("METHOD_NOT_ALLOWED", `${JSON.stringify(text)} has no method ${method}`, {
    hint: `It has ${[...new Set<Method>(methods)].join(", ")}.`,
  });
}

function pathPattern(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/:[a-z]+/gi, "[^/]+").replace("*", ".+")}$`);
}

async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, options: ApiOptions): Promise<void> {
  socket.on("error", (error) => options.log.debug("upgraded connection failed", { error: error.message }));
  try {
    options.guard.check({ method: request.method ?? "GET", headers: request.headers, isUpgrade: true });
    const match = /^\/v1\/exec\/([0-9a-f]{1,128})$/.exec(request.url ?? "");
    if (match === null) throw unknownRoute(options.routes, "UPGRADE", request.url ?? "/");
    await options.upgrade(match[1] as string, request, socket, head);
  } catch (error) {
    const body = toErrorBody(error);
    if (body.code === "INTERNAL") options.log.error("upgrade failed", errorFields(error));
    refuseOnSocket(socket, `${errorCodes[body.code].status} ${body.code}`, JSON.stringify(body));
  }
}

/** What Node's parser refuses before there is a request: too large a head, broken framing. */
function clientErrorHandler(error: Error & { code?: string }, socket: Duplex): void {
  if (error.code === "ECONNRESET" || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const isTooLarge = error.code === "HPE_HEADER_OVERFLOW";
  const body = JSON.stringify({
    code: "REQUEST_INVALID",
    message: isTooLarge ? `the request's head is over ${maxHeaderBytes} bytes` : "the request is not HTTP/1.1 as it should be",
    hint: "Check the request's headers and framing.",
    details: null,
  });
  const status = isTooLarge
    ? "431 Request Header Fields Too Large"
    : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
      ? "408 Request Timeout"
      : "400 Bad Request";
  refuseOnSocket(socket, status, body);
}

/** An answer where there is no response object; then the connection is over, whether or not the other side agrees. */
function refuseOnSocket(socket: Duplex, status: string, body: string): void {
  const head = `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncache-control: no-store\r\n`;
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`, () => socket.destroy());
}

function requestIdOf(request: IncomingMessage): string | null {
  const given = request.headers["x-request-id"];
  return typeof given === "string" && /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : null;
}

function headerText(value: string | readonly string[] | undefined): string | null {
  return typeof value === "string" ? value : null;
}
