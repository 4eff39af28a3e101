import http, { type Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import https, { type Server as HttpsServer } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { errorFields } from "#host/log.ts";
import { DroverError, hasCode, toErrorBody } from "#model/errors.ts";
import { listenOnSocket } from "../unix-socket.ts";
import { checkRule } from "./admit.ts";
import { type AnsweringOptions, createAnswering } from "./answer-request.ts";
import { discardRest } from "./body.ts";
import { DirectConnections } from "./direct-connections.ts";
import { refuseMalformed, refuseOnSocket } from "./refuse-on-socket.ts";
import type { Route } from "./route.ts";
import { RouteTable } from "./route-table.ts";

/** Most bytes of a request's head: a token, an idempotency key and a long path fit many times. */
const maxHeaderSize = 16 * 1024;
/** How long a request's head may trickle in. Bodies have their own deadlines: a stream of a source may take long, while JSON may not. */
const headersTimeout = 10_000;
const requestTimeout = 0;
/** How long an idle connection is kept for the next request. */
const keepAliveMs = 65_000;
/** How long requests in flight may go on when the server stops: what they wait for is durable in milliseconds. */
const closeGraceMs = 1_000;
/** Open connections; beyond, new ones are closed at once so that the ones that are served stay fast. */
const maxConnections = 10_000;
/** Connections that may wait to be accepted, when many clients come back at once. */
const backlog = 4_096;

export interface ApiOptions extends AnsweringOptions {
  readonly routes: readonly Route[];
  readonly tls?: TlsFiles;
  /** Takes over an upgraded connection at `/v1/exec/<ticket>`. */
  readonly upgrade: (ticket: string, request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>;
}

interface TlsFiles {
  readonly key: string;
  readonly cert: string;
}

export interface Api {
  /** @returns the port, which is the given one unless that is 0. @throws {DroverError} PORT_IN_USE */
  listen(address: { readonly host: string; readonly port: number }): Promise<number>;
  /** Answers on a Unix socket that only this user may open. */
  listenOnSocket(file: string): Promise<void>;
  /** New connections get this certificate; open ones keep theirs. */
  renewTls(tls: TlsFiles): void;
  /** Ends streams, lets requests in flight finish, closes. */
  close(): Promise<void>;
}

/** An API that answers `routes`, on one address or one Unix socket. */
export function createApi(options: ApiOptions): Api {
  const stopping = new AbortController();
  for (const route of options.routes) checkRule(route);
  const table = new RouteTable(options.routes);
  const { answer, answerWhole } = createAnswering(options, table, stopping.signal);
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    void answer(request, response).finally(() => {
      if (!request.complete) discardRest(request, response);
      if (stopping.signal.aborted) endAfter(response, request);
    });
  };
  // What else is asked for may be left unanswered, and some clients of HTTP/2 ask with each request whether it is spoken (RFC 9110, 7.8).
  const shouldUpgradeCallback = ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === "websocket";
  const settings = { maxHeaderSize, headersTimeout, requestTimeout, keepAliveTimeout: keepAliveMs, shouldUpgradeCallback };
  const server: HttpServer | HttpsServer =
    options.tls === undefined
      ? http.createServer(settings, onRequest)
      : https.createServer({ ...settings, ...options.tls, minVersion: "TLSv1.3" }, onRequest);
  server.maxConnections = maxConnections;
  server.on("clientError", refuseMalformed);
  const times = { firstRequestMs: headersTimeout, keepAliveMs, maxHeadBytes: maxHeaderSize };
  const direct = new DirectConnections({ table, answerWhole, handOver: takeReader(server), log: options.log, ...times });
  server.on(connected(server), (socket: Socket) => direct.take(socket));
  server.on("upgrade", (request, socket, head) => void upgrade(request, socket, head, table, options));

  return {
    listen: (address) => listen(server, address),
    listenOnSocket: (file) => listenOnSocket(server, file),
    renewTls: (tls) => (server as HttpsServer).setSecureContext({ ...tls, minVersion: "TLSv1.3" }),
    close: async () => {
      stopping.abort(new Error("the server stops"));
      if (!server.listening) return;
      direct.stop();
      // Node's idle connections are closed at once; one that never asked anything does not count as idle.
      const cut = setTimeout(() => {
        server.closeAllConnections();
        direct.destroy();
      }, closeGraceMs);
      await new Promise((resolve) => server.close(resolve));
      clearTimeout(cut);
    },
  };
}

/** The event at which Node's reader of HTTP takes a connection. */
function connected(server: HttpServer | HttpsServer): "connection" | "secureConnection" {
  return server instanceof https.Server ? "secureConnection" : "connection";
}

/** Keeps Node's reader of HTTP from new connections. @returns gives it one */
function takeReader(server: HttpServer | HttpsServer): (socket: Socket) => void {
  const event = connected(server);
  const readers = server.listeners(event) as ((socket: Socket) => void)[];
  server.removeAllListeners(event);
  return (socket) => {
    for (const read of readers) read.call(server, socket);
  };
}

/** No connection waits for another request once the server stops. */
function endAfter(response: ServerResponse, { socket }: IncomingMessage): void {
  if (response.writableFinished || response.destroyed) socket.end();
  else response.once("finish", () => socket.end());
}

function listen(server: HttpServer | HttpsServer, { host, port }: { readonly host: string; readonly port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => {
      const isTaken = hasCode(error, "EADDRINUSE") || hasCode(error, "EACCES") || hasCode(error, "EADDRNOTAVAIL");
      if (!isTaken) return reject(error);
      reject(
        new DroverError("PORT_IN_USE", `the API cannot listen on ${host}:${port}`, {
          cause: error,
          hint: "Stop what listens there, or choose another address with `--api HOST:PORT`.",
        }),
      );
    };
    server.once("error", onError);
    // The name may be of both versions of IP; commands call the older one.
    server.listen({ host: host === "localhost" ? "127.0.0.1" : host, port, backlog }, () => {
      server.off("error", onError);
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : port);
    });
  });
}

async function upgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  table: RouteTable,
  { guard, log, upgrade: takeOver }: ApiOptions,
): Promise<void> {
  const { method = "GET", url = "/", headers } = request;
  socket.on("error", (error) => log.debug("upgraded connection failed", { error: error.message }));
  try {
    guard.check({ method, headers, isUpgrade: true });
    const ticket = /^\/v1\/exec\/([0-9a-f]{1,128})$/.exec(url)?.[1];
    if (ticket === undefined) throw table.unknown("UPGRADE", url.split("?", 1)[0] ?? url);
    await takeOver(ticket, request, socket, head);
  } catch (error) {
    const body = toErrorBody(error);
    if (body.code === "INTERNAL") log.error("upgrade failed", errorFields(error));
    refuseOnSocket(socket, body);
  }
}
