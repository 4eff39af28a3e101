import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import type { Readable } from "node:stream";
import type { Home } from "#host/home.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError, fromErrorBody, hasCode } from "#model/errors.ts";
import { type Address, findServer, notRunning } from "./address.ts";
import { readStream } from "./stream.ts";

/** Most bytes of one JSON answer: a status of ten thousand instances is 5 MB. */
const longestAnswerBytes = 64 * 2 ** 20;
/** How long an answer may take to begin. Requests that wait for something are streams or polls, so none is meant to take longer. */
const answerTimeoutMs = 60_000;
/** A server that is killed is back within two seconds, so a broken connection is tried again for about that long. */
const retryPausesMs = [100, 300, 600, 1_000] as const;

export interface CallOptions {
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Bytes in place of JSON. */
  readonly upload?: Readable;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What the command line knows of a server: its HTTP API. Every failure that it can name is a DroverError. */
export interface Api {
  /** One call with a JSON answer (null if it has none). The caller names the type that the API's reference gives. */
  call<Answer>(method: string, path: string, signal: AbortSignal, options?: CallOptions): Promise<Answer>;
  /** One call with an answer in bytes. */
  bytes(method: string, path: string, signal: AbortSignal, options?: CallOptions): Promise<Buffer>;
  /** One call whose answer is a stream of values. Leaving the loop ends it. */
  stream<Value>(method: string, path: string, signal: AbortSignal, options?: CallOptions): AsyncGenerator<Value, void, void>;
  address(): Promise<Address>;
  close(): void;
}

/** A path under `/v1`, each part escaped; parameters that are undefined are left out. */
export function apiPath(
  parts: readonly (string | number)[],
  query: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>> = {},
): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    const values = Array.isArray(value) ? (value as readonly string[]) : value === undefined ? [] : [String(value)];
    for (const one of values) search.append(name, one);
  }
  const path = `/v1/${parts.map((part) => encodeURIComponent(part)).join("/")}`;
  return search.size === 0 ? path : `${path}?${search}`;
}

export interface ApiOptions {
  readonly home: Home;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

export function createApi({ home, environment, clock }: ApiOptions): Api {
  let found: Promise<Address> | undefined;
  let agent: Agent | undefined;
  const address = () => (found ??= findServer(home, environment));

  const open = async (method: string, path: string, signal: AbortSignal, options: CallOptions): Promise<IncomingMessage> => {
    const server = await address();
    const isSecure = server.kind === "url" && server.url.protocol === "https:";
    // Not imported: the import of node:http takes 31 ms, a quarter of all that a command may take; the builtin itself is already there.
    const http = isSecure ? process.getBuiltinModule("node:https") : process.getBuiltinModule("node:http");
    agent ??= new http.Agent({ keepAlive: true, maxSockets: 16 });
    const body = options.body === undefined ? null : Buffer.from(JSON.stringify(options.body));
    const request: RequestOptions & { ca?: string } = {
      method,
      agent,
      signal,
      path: server.kind === "url" ? `${server.url.pathname.replace(/\/$/, "")}${path}` : path,
      ...(server.kind === "url" ? { host: bareHost(server.url), port: server.url.port } : { socketPath: server.path }),
      ...(server.kind === "url" && server.ca !== null ? { ca: server.ca } : {}),
      headers: {
        host: server.kind === "url" ? server.url.host : "localhost",
        authorization: `Bearer ${server.token}`,
        ...(body === null ? {} : { "content-type": "application/json", "content-length": body.length }),
        ...options.headers,
      },
    };
    try {
      return await answer(http.request(request), body, options.upload);
    } catch (error) {
      signal.throwIfAborted();
      throw await unreachable(error, server, home);
    }
  };

  const checked = async (method: string, path: string, signal: AbortSignal, options: CallOptions): Promise<IncomingMessage> => {
    const response = await open(method, path, signal, options);
    if ((response.statusCode ?? 500) < 400) return response;
    throw asError(await readAll(response), response.statusCode ?? 500);
  };

  return {
    address,
    call: async <Answer>(method: string, path: string, signal: AbortSignal, options: CallOptions = {}) => {
      // With the key a request that got through before its connection broke is answered again, not done again.
      const headers = method === "GET" ? {} : { "idempotency-key": crypto.randomUUID() };
      for (let attempt = 0; ; attempt++) {
        try {
          const response = await checked(method, path, signal, { ...options, headers: { ...headers, ...options.headers } });
          const text = (await readAll(response)).toString("utf8");
          return (text === "" ? null : JSON.parse(text)) as Answer;
        } catch (error) {
          const pauseMs = retryPausesMs[attempt];
          if (pauseMs === undefined || options.upload !== undefined || !isBroken(error)) throw error;
          await clock.sleep(pauseMs, signal);
        }
      }
    },
    bytes: async (method, path, signal, options = {}) => readAll(await checked(method, path, signal, options)),
    stream: async function* <Value>(method: string, path: string, signal: AbortSignal, options: CallOptions = {}) {
      try {
        yield* readStream(await checked(method, path, signal, options)) as AsyncGenerator<Value, void, void>;
      } catch (error) {
        signal.throwIfAborted();
        if (!hasCode(error, "ECONNRESET")) throw error;
        throw new DroverError("SERVER_UNREACHABLE", "the server ended the stream", { cause: error, hint: "Run the command again." });
      }
    },
    close: () => agent?.destroy(),
  };
}

/** IPv6 addresses have brackets in URLs and none when they are dialled. */
function bareHost(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

function answer(request: ClientRequest, body: Buffer | null, upload: Readable | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // An upload may take as long as it takes; its progress is what is watched.
    if (upload === undefined) {
      request.setTimeout(answerTimeoutMs, () => request.destroy(new Error(`no answer within ${answerTimeoutMs / 1_000} s`)));
    }
    request.once("response", (response) => {
      request.setTimeout(0);
      resolve(response);
    });
    request.on("error", (error) => {
      upload?.destroy();
      reject(error);
    });
    if (upload === undefined) {
      request.end(body ?? undefined);
      return;
    }
    upload.on("error", (error) => request.destroy(error));
    // A server that answers before it has read all (too large, not allowed) is heard: the upload stops, the answer counts.
    request.once("response", (response) => {
      if ((response.statusCode ?? 500) < 400) return;
      upload.unpipe(request);
      upload.destroy();
    });
    upload.pipe(request);
  });
}

async function readAll(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > longestAnswerBytes) {
      response.destroy();
      throw new RangeError(`the server's answer is longer than ${longestAnswerBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function asError(body: Buffer, status: number): DroverError {
  try {
    const parsed: unknown = JSON.parse(body.toString("utf8"));
    if (isErrorShape(parsed)) return fromErrorBody(parsed);
  } catch {
    // Not JSON: not Drover's API, which the error below says.
  }
  return new DroverError("SERVER_UNREACHABLE", `what answers there is no Drover (HTTP ${status})`, {
    hint: "Check DROVER_URL.",
  });
}

function isErrorShape(value: unknown): value is { code: string; message: string; hint?: string; details?: unknown } {
  return (
    typeof value === "object" &&
    value !== null &&
    "code" in value &&
    typeof value.code === "string" &&
    "message" in value &&
    typeof value.message === "string"
  );
}

/** Whether the connection broke, or nobody took it: what a server that is restarted looks like. */
function isBroken(error: unknown): boolean {
  if (error instanceof DroverError && error.code !== "SERVER_UNREACHABLE") return false;
  const cause = error instanceof DroverError ? error.cause : error;
  return hasCode(cause, "ECONNRESET") || hasCode(cause, "ECONNREFUSED") || hasCode(cause, "EPIPE");
}

async function unreachable(error: unknown, server: Address, home: Home): Promise<unknown> {
  if (error instanceof DroverError) return error;
  if (server.kind === "socket") {
    if (hasCode(error, "ENOENT") || hasCode(error, "ECONNREFUSED")) return notRunning(home, error);
    if (hasCode(error, "EACCES")) {
      return new DroverError("FORBIDDEN", `not allowed to use the server's socket "${server.path}"`, {
        cause: error,
        hint: "Run the command as the user who started Drover, or set DROVER_URL and DROVER_TOKEN.",
      });
    }
  }
  const where = server.kind === "socket" ? `"${server.path}"` : server.url.origin;
  return new DroverError("SERVER_UNREACHABLE", `cannot talk to the server at ${where}`, {
    cause: error,
    hint:
      server.kind === "socket"
        ? 'Look at "drover status", or start Drover with "drover up".'
        : "Check DROVER_URL, and that the server runs.",
  });
}
