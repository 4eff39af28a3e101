import { once } from "node:events";
import net from "node:net";
import type { TestContext } from "node:test";
import { systemClock } from "#host/clock.ts";
import { createLog } from "#host/log.ts";
import { parseNetwork } from "#host/network.ts";
import type { Clock } from "#model/clock.ts";
import type { InstanceId, RouteId } from "#model/names.ts";
import type { Endpoint, Listener, Route, RoutePolicy, Target } from "#model/routing-table.ts";
import { EmbeddedRouter } from "../embedded-router.ts";
import { defaultLimits, type Limits } from "../limits.ts";

export const host = "app.test";

/** A router on a free port, closed with the test. */
export async function startEdge(
  context: Pick<TestContext, "after">,
  limits: Partial<Limits> = {},
  more: { readonly trustedProxies?: readonly string[]; readonly print?: (line: string) => void; readonly clock?: Clock } = {},
): Promise<EmbeddedRouter> {
  const { print = () => {}, trustedProxies = [], clock = systemClock } = more;
  const options = { trustedProxies: trustedProxies.map(parseNetwork) };
  const log = createLog({ print, nowMs: () => 0 });
  const edge = new EmbeddedRouter({ clock, random: Math.random, log, limits: { ...defaultLimits, ...limits }, ...options });
  await edge.open("127.0.0.1", 0);
  context.after(() => edge.close(0));
  return edge;
}

export function endpoint(port: number, instance = `space/app/web.1.${port}`): Endpoint {
  return { instance: instance as InstanceId, host: "127.0.0.1", port };
}

export function route(
  targets: readonly Target[],
  {
    id = "app",
    listener = { kind: "public", host, path: "/" },
    policy,
  }: { readonly id?: string; readonly listener?: Listener; readonly policy?: RoutePolicy } = {},
): Route {
  const place = { id: id as RouteId, space: "space", app: "app", process: "web", listener };
  return { ...place, ...(policy === undefined ? {} : { policy }), targets };
}

/** A route with one release on these ports. */
export function routeTo(...ports: readonly number[]): Route {
  return route([{ release: 1, weight: 1, endpoints: ports.map((port) => endpoint(port)) }]);
}

/** An app at the level of bytes: `onBytes` sees everything of a connection so far and answers by itself. */
export interface RawOrigin {
  readonly port: number;
  /** Everything received, by connection, as latin1. */
  readonly received: readonly string[];
  close(): Promise<void>;
}

export async function rawOrigin(
  context: Pick<TestContext, "after">,
  onBytes: (soFar: string, socket: net.Socket, connection: number) => void = answerWhenWhole,
  port = 0,
): Promise<RawOrigin> {
  const received: string[] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    const connection = received.push("") - 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // Resets are part of what these tests provoke.
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      received[connection] += bytes.toString("latin1");
      onBytes(received[connection] as string, socket, connection);
    });
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  context.after(close);
  return { port: (server.address() as net.AddressInfo).port, received, close };
}

export const ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/** Answers once for each request head that ends what has come: enough for requests without a body, one at a time. */
export function answerWhenWhole(soFar: string, socket: net.Socket): void {
  if (soFar.endsWith("\r\n\r\n")) socket.write(ok);
}

/** Sends bytes and returns all that comes back until the edge closes. */
export async function exchangeBytes(port: number, bytes: string | readonly string[], { end = false } = {}): Promise<string> {
  const socket = net.connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  socket.on("error", () => {});
  let answer = "";
  socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
  socket.on("end", () => socket.end());
  // Who is cut may be reset, which is as good an end as any.
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await once(socket, "connect");
  for (const part of typeof bytes === "string" ? [bytes] : bytes) {
    await new Promise((resolve) => socket.write(part, "latin1", resolve));
    if (typeof bytes !== "string") await new Promise((resolve) => setImmediate(resolve));
  }
  if (end) socket.end();
  await closed;
  return answer;
}

export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 0);
}

/** A connection that is read piece by piece. */
export class RawClient {
  readonly socket: net.Socket;
  #text = "";

  constructor(port: number) {
    this.socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    this.socket.on("error", () => {});
    this.socket.on("data", (chunk) => (this.#text += chunk.toString("latin1")));
  }

  write(text: string): void {
    this.socket.write(text, "latin1");
  }

  /** Resolves with everything up to and including `wanted`, and forgets it. Rejects when the connection closes first. */
  async until(wanted: string): Promise<string> {
    for (;;) {
      const at = this.#text.indexOf(wanted);
      if (at !== -1) {
        const text = this.#text.slice(0, at + wanted.length);
        this.#text = this.#text.slice(at + wanted.length);
        return text;
      }
      if (this.socket.closed)
        throw new Error(`the connection closed before ${JSON.stringify(wanted)}; it said ${JSON.stringify(this.#text)}`);
      await Promise.race([once(this.socket, "data"), once(this.socket, "close")]);
    }
  }

  async closed(): Promise<void> {
    if (!this.socket.closed) await once(this.socket, "close");
  }
}
