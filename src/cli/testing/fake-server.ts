import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import http, { type IncomingMessage, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ErrorBody } from "#model/errors.ts";
import { errorCodes } from "#model/errors.ts";

const droverBin = fileURLToPath(new URL("../../../bin/drover", import.meta.url));
/** A command that takes longer hangs. */
const patienceMs = 20_000;
export const fakeToken = "drv_admin_test";

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: http.IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly body: unknown;
}

/** What a route answers with: JSON, JSON lines, server-sent events, bytes or an error of ours; `null` breaks the connection. */
export type FakeAnswer =
  | { readonly json: unknown }
  | { readonly lines: readonly unknown[] }
  | { readonly events: readonly unknown[] }
  | { readonly bytes: Uint8Array }
  | { readonly error: ErrorBody }
  | null;

export type FakeRoutes = Readonly<Record<string, FakeAnswer | ((received: Received) => FakeAnswer | Promise<FakeAnswer>)>>;

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** An API in the form of recorded answers, behind the socket and token of a home of its own, and the real command line beside it. */
export class FakeServer implements AsyncDisposable {
  readonly home: string;
  readonly requests: Received[] = [];
  readonly server: Server;

  private constructor(home: string, server: Server) {
    this.home = home;
    this.server = server;
  }

  /** Keys are `GET /v1/apps`; what is not there is answered with ROUTE_UNKNOWN. */
  static async start(routes: FakeRoutes): Promise<FakeServer> {
    const home = await mkdtemp(join(tmpdir(), "drover-cli-"));
    await mkdir(join(home, "run"));
    await writeFile(join(home, "token"), `${fakeToken}\n`);
    const server = http.createServer();
    const fake = new FakeServer(home, server);
    server.on("request", async (request: IncomingMessage, response) => {
      const received = await receive(request);
      fake.requests.push(received);
      const route = routes[`${received.method} ${received.path}`] ?? unknownRoute(received);
      const answer = typeof route === "function" ? await route(received) : route;
      if (answer === null) {
        request.socket.destroy();
        return;
      }
      const { status, type, content } = encode(answer);
      response.writeHead(status, { "content-type": type }).end(content);
    });
    server.listen(join(home, "run", "api.sock"));
    await once(server, "listening");
    return fake;
  }

  get environment(): NodeJS.ProcessEnv {
    const environment: NodeJS.ProcessEnv = { ...process.env, DROVER_HOME: this.home, TZ: "UTC" };
    for (const name of ["DROVER_URL", "DROVER_TOKEN", "DROVER_CA", "DROVER_SPACE", "NODE_TEST_CONTEXT", "NO_COLOR"])
      delete environment[name];
    return environment;
  }

  run(args: readonly string[], options: { readonly input?: string | Buffer; readonly env?: NodeJS.ProcessEnv } = {}): Promise<Finished> {
    return runDrover(args, { ...options, cwd: this.home, env: { ...this.environment, ...options.env } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await rm(this.home, { recursive: true, force: true });
  }
}

export async function runDrover(
  args: readonly string[],
  options: { readonly input?: string | Buffer; readonly env: NodeJS.ProcessEnv; readonly cwd: string },
): Promise<Finished> {
  const child = startDrover(args, options);
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk) => (stdout += chunk));
  child.stderr?.on("data", (chunk) => (stderr += chunk));
  child.stdin?.end(options.input ?? "");
  const timer = setTimeout(() => child.kill("SIGKILL"), patienceMs);
  const [code] = (await once(child, "close")) as [number | null];
  clearTimeout(timer);
  return { code, stdout, stderr };
}

export function startDrover(
  args: readonly string[],
  { env, cwd }: { readonly env: NodeJS.ProcessEnv; readonly cwd: string },
): ChildProcess {
  return spawn(droverBin, args, { env, cwd, stdio: ["pipe", "pipe", "pipe"] });
}

async function receive(request: IncomingMessage): Promise<Received> {
  const url = new URL(request.url ?? "/", "http://server");
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  return {
    method: request.method ?? "",
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: request.headers,
    bytes,
    body: request.headers["content-type"] === "application/json" ? JSON.parse(bytes.toString("utf8")) : null,
  };
}

function encode(answer: Exclude<FakeAnswer, null>): {
  readonly status: number;
  readonly type: string;
  readonly content: string | Uint8Array;
} {
  if ("error" in answer)
    return { status: errorCodes[answer.error.code].status, type: "application/json", content: JSON.stringify(answer.error) };
  if ("lines" in answer) {
    return { status: 200, type: "application/x-ndjson", content: answer.lines.map((line) => `${JSON.stringify(line)}\n`).join("") };
  }
  if ("events" in answer) {
    const content = answer.events.map((event) => `event: event\ndata: ${JSON.stringify(event)}\n\n`).join("");
    return { status: 200, type: "text/event-stream", content: `: watching\n\n${content}` };
  }
  if ("bytes" in answer) return { status: 200, type: "application/octet-stream", content: answer.bytes };
  return { status: 200, type: "application/json", content: JSON.stringify(answer.json) };
}

function unknownRoute({ method, path }: Received): FakeAnswer {
  return { error: { code: "ROUTE_UNKNOWN", message: `the API has no ${method} ${path}`, hint: "", details: null } };
}

export async function withServer(routes: FakeRoutes, body: (fake: FakeServer) => Promise<void>): Promise<void> {
  await using fake = await FakeServer.start(routes);
  await body(fake);
}
