import http2 from "node:http2";
import type { Duplex } from "node:stream";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError, errorCodes, fromErrorBody, toErrorBody } from "#model/errors.ts";
import { type Fence, type LinkHello, linkVersion } from "#model/link.ts";
import type { Log } from "#model/log.ts";
import { isRecord } from "#model/shape.ts";
import { codeHeader } from "./caller.ts";
import { parseWelcome } from "./greetings.ts";
import { readGreeting, writeGreeting } from "./handshake.ts";
import { keepAlive } from "./keep-alive.ts";
import { writeJsonLines } from "./ndjson.ts";

/** Most bytes of a JSON body: a workload or a whole routing table. */
const longestBodyBytes = 64 * 2 ** 20;
/** How often an idle stream of lines shows that it lives. */
const heartbeatMs = 5_000;

/** One call of the server. Answer it once: by returning a JSON value (null: 204), by `lines`, or through `stream`. */
export interface LinkCall {
  /** The parts of the path that stood for `:name` in the route, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The raw stream, for calls that carry bytes. Answer with `accept()` first. */
  readonly stream: http2.ServerHttp2Stream;
  /** Aborted when the call or the link ends. */
  readonly signal: AbortSignal;
  body(): Promise<unknown>;
  /** Answers 200 now; what follows is up to the handler. */
  accept(): void;
  /** Answers with one JSON value a line, until `values` ends or the caller goes. */
  lines(values: AsyncIterable<unknown>): Promise<void>;
}

/** `undefined` means that the handler has answered by itself. */
export type LinkHandler = (call: LinkCall) => Promise<unknown>;
/** Keys such as `PUT /workloads/:id`. */
export type LinkRoutes = Readonly<Record<string, LinkHandler>>;

export interface ServeLinkOptions {
  /** Opens a connection to the server. */
  readonly connect: (signal: AbortSignal) => Promise<Duplex>;
  readonly hello: () => Pick<LinkHello, "role" | "machine" | "installation" | "isLeaving">;
  /** Checks the server's fence and remembers installation and fence durably. @throws {DroverError} ORDER_OUTDATED to refuse an older server. */
  readonly admit: (server: { readonly installation: string; readonly fence: Fence }) => Promise<void>;
  readonly routes: LinkRoutes;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/**
 * First and longest wait between attempts to reach the server; each wait is a random share of the doubled one (full jitter). The longest leaves time for
 * two attempts before a server that has just started takes this machine for lost.
 */
const backoff = { firstMs: 100, longestMs: 2_000 } as const;
/** The longest while the server refuses it: somebody has to do something about that first. */
const refusedMs = 30_000;
/** On one machine the server is back in a second or two: no wait is longer than this until it was away for a while. */
const shortWaitMs = 500;
const shortWaits = 60;
/** A link that breaks sooner counts as an attempt that failed: a network that flaps, or a server that ends at once, must not be asked without pause. */
const steadyMs = 5_000;

/** Dials the server, again and again, and serves `routes` back over the connection, until the signal aborts. */
export async function serveLink(options: ServeLinkOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, random } = options;
  for (let attempt = 0; !signal.aborted; attempt++) {
    let isStranger = false;
    try {
      const hasHeld = await serveOnce(options, signal);
      if (hasHeld) attempt = -1;
    } catch (error) {
      if (signal.aborted) break;
      const refused = error instanceof DroverError;
      isStranger = refused && error.code === "CERTIFICATE_REFUSED";
      log[refused ? "warn" : "debug"]("server not linked", { error: error instanceof Error ? error.message : String(error), attempt });
    }
    const longestMs = isStranger ? refusedMs : attempt < shortWaits ? shortWaitMs : backoff.longestMs;
    await pause(clock, Math.min(longestMs, backoff.firstMs * 2 ** Math.max(0, attempt)) * random(), signal);
  }
}

/** @returns whether the link held for a while */
async function serveOnce(options: ServeLinkOptions, signal: AbortSignal): Promise<boolean> {
  const { connect, hello, admit, clock, log } = options;
  const socket = await connect(signal);
  const onError = (error: Error) => log.debug("link connection failed", { error: error.message });
  socket.on("error", onError);
  try {
    await writeGreeting(socket, { drover: "link", version: linkVersion, ...hello() } satisfies LinkHello);
    const welcome = parseWelcome(await readGreeting(socket, signal));
    if (welcome === null) throw new Error("the answer to the greeting does not fit");
    if (welcome.drover === "refused") throw fromErrorBody(welcome);
    await admit(welcome);
    const session = http2.performServerHandshake(socket, {
      maxSessionMemory: 64,
      settings: { initialWindowSize: 2 ** 20, maxConcurrentStreams: 1_000 },
    });
    log.info("server linked", { epoch: welcome.fence.epoch, term: welcome.fence.term });
    const linkedAtMs = clock.monotonicMs();
    await serveSession(session, options, signal);
    return clock.monotonicMs() - linkedAtMs >= steadyMs;
  } finally {
    socket.destroy();
  }
}

function serveSession(session: http2.ServerHttp2Session, { routes, log }: ServeLinkOptions, signal: AbortSignal): Promise<void> {
  const table = compileRoutes(routes);
  keepAlive(session);
  session.on("stream", (stream, headers) => void answer(table, stream, headers, log));
  return new Promise((resolve) => {
    const stop = () => session.destroy();
    signal.addEventListener("abort", stop, { once: true });
    session.on("error", (error) => log.debug("link failed", { error: error.message }));
    session.once("close", () => {
      signal.removeEventListener("abort", stop);
      resolve();
    });
  });
}

type CompiledRoute = { readonly method: string; readonly parts: readonly string[]; readonly handler: LinkHandler };

function compileRoutes(routes: LinkRoutes): readonly CompiledRoute[] {
  return Object.entries(routes).map(([key, handler]) => {
    const [method = "", path = ""] = key.split(" ");
    return { method, parts: path.split("/"), handler };
  });
}

function match(route: CompiledRoute, method: string, parts: readonly string[]): Record<string, string> | null {
  if (route.method !== method || route.parts.length !== parts.length) return null;
  const params: Record<string, string> = {};
  for (const [i, part] of route.parts.entries()) {
    const given = parts[i] as string;
    if (part.startsWith(":")) params[part.slice(1)] = decodeURIComponent(given);
    else if (part !== given) return null;
  }
  return params;
}

async function answer(
  table: readonly CompiledRoute[],
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
  log: Log,
): Promise<void> {
  const gone = new AbortController();
  stream.once("close", () => gone.abort(new Error("the call ended")));
  stream.on("error", (error) => log.debug("link call failed", { error: error.message }));
  const method = headers[":method"] ?? "";
  const url = new URL(headers[":path"] ?? "/", "http://link");
  try {
    const parts = url.pathname.split("/");
    for (const route of table) {
      const params = match(route, method, parts);
      if (params === null) continue;
      const result = await route.handler(createCall(stream, params, url.searchParams, gone.signal));
      if (result === undefined) return;
      respond(stream, result === null ? 204 : 200, result);
      return;
    }
    throw new DroverError("ROUTE_UNKNOWN", `the link has no ${method} ${url.pathname}`, {
      hint: "The two programs are of different versions.",
    });
  } catch (error) {
    if (gone.signal.aborted) return;
    if (!(error instanceof DroverError))
      log.error("link call failed", {
        method,
        path: url.pathname,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    const body = toErrorBody(error);
    if (stream.headersSent) stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    else respond(stream, errorCodes[body.code].status, body);
  }
}

function respond(stream: http2.ServerHttp2Stream, status: number, body: unknown): void {
  if (stream.destroyed || stream.headersSent) return;
  const code = status >= 400 && isRecord(body) ? body["code"] : undefined;
  // In a header too: an answer to HEAD has no body.
  stream.respond({ ":status": status, "content-type": "application/json", ...(typeof code === "string" ? { [codeHeader]: code } : {}) });
  stream.end(body === null ? undefined : JSON.stringify(body));
}

function createCall(
  stream: http2.ServerHttp2Stream,
  params: Readonly<Record<string, string>>,
  query: URLSearchParams,
  signal: AbortSignal,
): LinkCall {
  const accept = () => {
    if (!stream.headersSent) stream.respond({ ":status": 200 });
  };
  return {
    params,
    query,
    stream,
    signal,
    accept,
    body: async () => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > longestBodyBytes) throw new DroverError("BODY_TOO_LARGE", `the body is over ${longestBodyBytes} bytes`);
        chunks.push(chunk);
      }
      return JSON.parse(Buffer.concat(chunks).toString("utf8"));
    },
    lines: async (values) => {
      accept();
      const heartbeat = setInterval(() => stream.writableLength === 0 && stream.write("\n"), heartbeatMs);
      try {
        await writeJsonLines(stream, values, signal);
        stream.end();
      } finally {
        clearInterval(heartbeat);
      }
    },
  };
}
