import type { IncomingMessage, ServerResponse } from "node:http";
import { parse as parseQuery } from "node:querystring";
import { z } from "zod";
import { errorFields } from "#host/log.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError, type ErrorBody, toErrorBody } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { Principal } from "../access/access-rule.ts";
import type { Lives } from "../access/lives.ts";
import type { RequestGuard } from "../access/request-guard.ts";
import type { Sessions } from "../access/sessions.ts";
import type { Tokens } from "../access/tokens.ts";
import type { WebSite } from "../web/web-site.ts";
import { type Admission, admit } from "./admit.ts";
import { type Asked, askedOverHttp } from "./asked.ts";
import { readPrecondition } from "./etag.ts";
import type { IdempotencyKeys } from "./idempotency.ts";
import { checkParams, checkWith } from "./request-check.ts";
import type { Answer, Call, Route } from "./route.ts";
import type { FoundRoute, RouteTable } from "./route-table.ts";
import { sendAnswer, sendWhole } from "./send-answer.ts";
import { createStreams, streamHeaders } from "./streams.ts";
import { type Whole, type WholeAnswer, wholeAnswer, wholeError, withLength } from "./whole-answer.ts";

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
}

export interface Answering {
  /** Answers a request, whatever it is; never fails, and what goes wrong is an answer or in the log. Streams end with `stopping`. */
  answer(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** The answer to a request of a route with {@link answersWhole}; never fails. */
  answerWhole(found: FoundRoute, asked: Asked): Promise<WholeAnswer>;
}

/** What becomes of an answer. */
interface Replying<T> {
  answer(answer: Answer, headers: Readonly<Record<string, string>>, call: Call): Promise<T>;
  /** The request asks for the head of a stream alone: there is no end to wait for, and what is never sent need not be made. */
  streamHead(): T;
}

export function createAnswering(options: AnsweringOptions, table: RouteTable, stopping: AbortSignal): Answering {
  const shared: Shared = { ...options, stopping };
  const streams = createStreams(options.clock, options.log);
  const whole: Replying<WholeAnswer> = {
    answer: async (answer, headers) => wholeAnswer(requireWhole(answer), headers),
    streamHead: () => {
      throw notWhole();
    },
  };
  return {
    answer: async (request, response) => {
      const asked = askedOverHttp(request, response);
      const requestId = requestIdOf(asked) ?? options.newRequestId();
      const [path, query] = splitTarget(asked.url);
      let found: FoundRoute | null = null;
      try {
        if (isForPages(path, asked) && (await sendPage(path, asked, response, options))) return;
        found = table.find(asked.method, path);
        await answerRoute(found, query, asked, requestId, shared, {
          answer: async (answer, headers, call) => {
            if ("events" in answer || "lines" in answer) await streams.send(response, answer, call);
            else await sendAnswer(response, answer, headers);
          },
          streamHead: () => void response.writeHead(200, { ...streamHeaders, "x-request-id": requestId }).end(),
        });
      } catch (error) {
        // Whoever went away in the middle of a request is nobody's defect.
        const isGone = response.destroyed || request.errored !== null;
        const body = explain(error, isGone, asked, requestId, found?.route ?? null, options.log);
        if (!response.headersSent && !response.destroyed) sendWhole(response, wholeError(body, requestId));
        // A half of an answer must not pass for a whole one.
        else if (!response.writableEnded) response.destroy();
      }
    },
    answerWhole: async (found, asked) => {
      const requestId = requestIdOf(asked) ?? options.newRequestId();
      try {
        return await answerRoute(found, splitTarget(asked.url)[1], asked, requestId, shared, whole);
      } catch (error) {
        return wholeError(explain(error, false, asked, requestId, found.route, options.log), requestId);
      }
    },
  };
}

/** Whether a route reads its body and makes its answer as a whole, neither of them piece by piece. */
export function answersWhole({ answer: { kind }, body }: Route): boolean {
  return (kind === "json" || kind === "bytes" || kind === "none") && body?.kind !== "stream";
}

function requireWhole(answer: Answer): Whole {
  if ("events" in answer || "lines" in answer || "pieces" in answer) throw notWhole();
  return answer;
}

function notWhole(): Error {
  return new Error("a route that says that its answers are whole makes a stream");
}

const authority = /^https?:\/\/[^/?#]*/i;

/** The path and the query that are asked for. The server's address may stand before them (RFC 9112, 3.2.2); which one it is, the guard knows by Host. */
export function splitTarget(target: string): readonly [path: string, query: string] {
  const rest = target.startsWith("/") ? target : target.replace(authority, "");
  const url = rest.startsWith("/") ? rest : `/${rest}`;
  const queryAt = url.indexOf("?");
  return queryAt === -1 ? [url, ""] : [url.slice(0, queryAt), url.slice(queryAt + 1)];
}

async function answerRoute<T>(
  { route, params }: FoundRoute,
  queryText: string,
  asked: Asked,
  requestId: string,
  shared: Shared,
  reply: Replying<T>,
): Promise<T> {
  const { method, headers } = asked;
  shared.guard.check({ method, headers, isUpgrade: false });
  if (route.answer.kind === "upgrade") {
    throw new DroverError("METHOD_NOT_ALLOWED", `${route.path} is a WebSocket, and the request asks for none`, {
      hint: "Open it as a WebSocket.",
    });
  }
  const principal = shared.tokens.authenticate(headers.authorization) ?? shared.sessions.authenticate(headers);
  const admission = admit(route, principal, params);
  checkParams(params);
  const query = readQuery(route, queryText);
  const body = await readBody(route, asked);
  admission.checkNamed(query, body);
  if (isStream(route) && method === "HEAD") return reply.streamHead();
  const receipt = shared.idempotency.begin(headers["idempotency-key"], route, asked, principal, body);
  // What is answered at once needs no life of its own.
  using life = principal !== null && isStream(route) ? shared.lives.begin(principal) : null;
  try {
    const ends = life === null ? [shared.stopping] : [shared.stopping, life.signal];
    const call = new CheckedCall(asked, params, principal, admission, receipt, requestId, ends);
    const own = { "x-request-id": requestId };
    if (receipt !== null && receipt.repeated !== null)
      return await reply.answer(receipt.repeated, { ...own, "idempotency-replayed": "true" }, call);
    return await reply.answer(await route.handle(call, query, body), own, call);
  } finally {
    receipt?.end();
  }
}

/** A class, since one is made for each request: properties that are worked out when they are asked for cost an object of its own kilobytes. */
class CheckedCall implements Call {
  readonly params: Call["params"];
  readonly sees: Call["sees"];
  readonly requireRight: Call["requireRight"];
  readonly receipt: Call["receipt"];
  readonly requestId: string;
  readonly precondition: Call["precondition"];
  readonly #asked: Asked;
  readonly #principal: Principal | null;
  readonly #ends: readonly AbortSignal[];
  #signal: AbortSignal | null = null;

  constructor(
    asked: Asked,
    params: Call["params"],
    principal: Principal | null,
    { sees, requireRight }: Admission,
    receipt: Call["receipt"],
    requestId: string,
    ends: readonly AbortSignal[],
  ) {
    this.#asked = asked;
    this.params = params;
    this.#principal = principal;
    this.sees = sees;
    this.requireRight = requireRight;
    this.receipt = receipt;
    this.requestId = requestId;
    this.#ends = ends;
    this.precondition = readPrecondition(asked.headers);
  }

  get caller(): Principal {
    if (this.#principal === null) throw new Error("a route that asks for nobody wants to know who calls");
    return this.#principal;
  }

  get lastEventId(): string | null {
    return headerText(this.#asked.headers["last-event-id"]);
  }

  get userAgent(): string {
    return headerText(this.#asked.headers["user-agent"]) ?? "";
  }

  /** Made when it is asked for: most handlers answer from memory. */
  get signal(): AbortSignal {
    return (this.#signal ??= this.#asked.goneOr(this.#ends));
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

async function readBody(route: Route, asked: Asked): Promise<unknown> {
  const rule = route.body ?? { kind: "none" };
  switch (rule.kind) {
    case "none":
      if (Number(asked.headers["content-length"] ?? 0) > 0) await asked.bytes(1_024);
      return null;
    case "bytes":
      return asked.bytes(rule.maxBytes);
    case "stream":
      return asked.stream(rule.maxBytes);
    case "json": {
      const bytes = await asked.bytes(rule.maxBytes);
      requireJsonType(asked.headers["content-type"], bytes.length);
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

/** What the caller is told; what is our own defect is logged. */
function explain(error: unknown, isGone: boolean, { method }: Asked, requestId: string, route: Route | null, log: Log): ErrorBody {
  const body = toErrorBody(error);
  if (body.code === "INTERNAL")
    log[isGone ? "debug" : "error"]("request failed", { request_id: requestId, method, route: route?.path ?? null, ...errorFields(error) });
  return body;
}

/** What a browser opens, or loads for what it opened; programs that take a wrong path are told so. */
function isForPages(path: string, { method, headers }: Asked): boolean {
  if ((method !== "GET" && method !== "HEAD") || path.startsWith("/v1/")) return false;
  return path.startsWith("/assets/") || (headers.accept ?? "").includes("text/html");
}

/** False if there is no page at the path. */
async function sendPage(
  path: string,
  { method, headers }: Asked,
  response: ServerResponse,
  { web, guard }: AnsweringOptions,
): Promise<boolean> {
  if (web === undefined) return false;
  guard.check({ method, headers, isUpgrade: false });
  const page = await web.answer(path, headers);
  if (page !== null) sendWhole(response, withLength(page.status, { ...page.headers }, page.body));
  return page !== null;
}

function requestIdOf({ headers }: Asked): string | null {
  const given = headers["x-request-id"];
  return typeof given === "string" && /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : null;
}

function headerText(value: string | readonly string[] | undefined): string | null {
  return typeof value === "string" ? value : null;
}
