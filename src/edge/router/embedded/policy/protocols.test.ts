import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import type net from "node:net";
import { type TestContext, test } from "node:test";
import type { RequestConditions, RoutePolicy } from "#model/routing-table.ts";
import { endpoint, route as routeOf, startEdge } from "../testing/edge.ts";

/* What a route asks of requests has to hold whatever they come by: each case is played over HTTP/1.1, over HTTP/2, and over HTTP/2 to an app that speaks it too. */

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

interface World {
  ask(asked?: Asked): Promise<Answer>;
  /** What reached the app: header names in lower case. */
  readonly reached: readonly { readonly path: string; readonly headers: http.IncomingHttpHeaders }[];
  /** Lines of the access log. */
  readonly log: readonly Record<string, unknown>[];
  /** Number of the instance that had the last request. */
  last(): number;
}

interface Case {
  readonly name: string;
  readonly policy?: RoutePolicy;
  readonly conditions?: RequestConditions;
  readonly trusted?: readonly string[];
  readonly instances?: number;
  /** Its meaning is bound to HTTP/1.1 between edge and app. */
  readonly exceptToHttp2Apps?: boolean;
  readonly play: (world: World) => Promise<void>;
}

const text = "a line of text that is worth the work\n".repeat(200);

const cases: readonly Case[] = [
  {
    name: "a route for some methods and headers takes no other requests",
    conditions: { methods: ["GET"], headers: { "x-beta": "yes" } },
    play: async ({ ask }) => {
      const statuses = [
        await ask({ headers: { "x-beta": "yes" } }),
        await ask({ headers: { "x-beta": "no" } }),
        await ask(),
        await ask({ method: "DELETE", headers: { "x-beta": "yes" } }),
      ].map(({ status }) => status);
      assert.deepEqual(statuses, [200, 404, 404, 404]);
    },
  },
  {
    name: "a redirect keeps path and query",
    policy: { answer: { kind: "redirect", to: "https://new.test{uri}", status: 308 } },
    play: async ({ ask, reached }) => {
      const { status, headers } = await ask({ path: "/a?b=c" });
      assert.deepEqual([status, headers["location"], reached.length], [308, "https://new.test/a?b=c", 0]);
    },
  },
  {
    name: "maintenance answers in place of the app",
    policy: { answer: { kind: "maintenance", message: "back soon", retryAfterMs: 5_000 } },
    play: async ({ ask, reached }) => {
      const { status, headers } = await ask();
      assert.deepEqual([status, headers["retry-after"], reached.length], [503, "5", 0]);
    },
  },
  {
    name: "a rate is kept",
    policy: { limits: { rate: { requests: 1, perMs: 3_600_000, burst: 1 } } },
    play: async ({ ask }) => assert.deepEqual([(await ask()).status, (await ask()).status], [200, 429]),
  },
  {
    name: "a rate of each client is kept",
    policy: { limits: { ratePerClient: { requests: 1, perMs: 3_600_000, burst: 1 } } },
    play: async ({ ask }) => assert.deepEqual([(await ask()).status, (await ask()).status], [200, 429]),
  },
  {
    name: "a head over the route's limit is refused",
    policy: { limits: { headBytes: 1_000 } },
    play: async ({ ask }) => assert.equal((await ask({ headers: { "x-long": "x".repeat(2_000) } })).status, 431),
  },
  {
    name: "a body that says that it is over the route's limit is refused",
    policy: { limits: { bodyBytes: 10 } },
    play: async ({ ask, reached }) => {
      const { status } = await ask({ method: "POST", headers: { "content-length": "11" }, body: "x".repeat(11) });
      assert.deepEqual([status, reached.length], [413, 0]);
    },
  },
  {
    name: "a body that turns out to be over the route's limit is refused",
    policy: { limits: { bodyBytes: 10 } },
    play: async ({ ask }) => assert.equal((await ask({ method: "POST", path: "/silent", body: "x".repeat(11) })).status, 413),
  },
  {
    name: "an app that is slower than the route allows is given up",
    policy: { limits: { answerMs: 20 } },
    play: async ({ ask }) => assert.equal((await ask({ path: "/silent" })).status, 504),
  },
  {
    name: "the limit of the whole request holds",
    policy: { limits: { requestMs: 20 } },
    play: async ({ ask }) => assert.equal((await ask({ path: "/silent" })).status, 504),
  },
  {
    name: "a client comes back to its instance by its cookie",
    policy: { sticky: { forMs: 60_000 } },
    instances: 3,
    play: async ({ ask, last }) => {
      const cookie = String((await ask()).headers["set-cookie"]);
      assert.match(cookie, /^drover-[\w-]+=[\w.-]+; Max-Age=60; Path=\/; HttpOnly; SameSite=Lax$/);
      const first = last();
      for (let round = 0; round < 8; round++) {
        const again = await ask({ headers: { cookie: cookie.split(";")[0] ?? "" } });
        assert.deepEqual([last(), again.headers["set-cookie"]], [first, undefined]);
      }
    },
  },
  {
    name: "a request has an id of the edge's own, whatever the client calls it",
    play: async ({ ask, reached }) => {
      await ask({ headers: { "x-request-id": "mine" } });
      assert.match(String(reached[0]?.headers["x-request-id"]), /^[0-9a-f]{16}-1$/);
    },
  },
  {
    name: "a trusted proxy names the request and its client",
    trusted: ["127.0.0.1"],
    play: async ({ ask, reached }) => {
      await ask({ headers: { "x-request-id": "req-7", "x-forwarded-for": "198.51.100.1" } });
      const headers = reached[0]?.headers ?? {};
      assert.deepEqual(
        [headers["x-request-id"], headers["x-real-ip"], headers["x-forwarded-for"]],
        ["req-7", "198.51.100.1", "198.51.100.1, 127.0.0.1"],
      );
    },
  },
  {
    name: "who the client is comes from the edge alone",
    play: async ({ ask, reached }) => {
      await ask({
        headers: { "x-forwarded-for": "6.6.6.6", forwarded: "for=6.6.6.6", "x-real-ip": "6.6.6.6", "x-drover-x": "y", proxy: "z" },
      });
      const headers = reached[0]?.headers ?? {};
      assert.deepEqual(
        [headers["x-forwarded-for"], headers["x-real-ip"], headers["forwarded"], headers["x-drover-x"], headers["proxy"]],
        ["127.0.0.1", "127.0.0.1", undefined, undefined, undefined],
      );
    },
  },
  {
    name: "a trace is begun where the route says so, and goes on where there is one",
    policy: { trace: true },
    play: async ({ ask, reached }) => {
      const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
      await ask();
      await ask({ headers: { traceparent: trace } });
      assert.match(String(reached[0]?.headers["traceparent"]), /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
      assert.equal(reached[1]?.headers["traceparent"], trace);
    },
  },
  {
    name: "the access log tells of a request",
    policy: { logShare: 1 },
    play: async ({ ask, log, reached }) => {
      await ask({ path: "/a?secret=1" });
      while (log.length === 0) await new Promise((resolve) => setImmediate(resolve));
      const { method, host, path, status, client, route, release, request_id } = log[0] ?? {};
      assert.deepEqual(
        { method, host, path, status, client, route, release, request_id },
        {
          method: "GET",
          host: "app.test",
          path: "/a",
          status: 200,
          client: "127.0.0.1",
          route: "app",
          release: 1,
          request_id: reached[0]?.headers["x-request-id"],
        },
      );
    },
  },
  {
    name: "text is compressed for who takes it",
    exceptToHttp2Apps: true,
    play: async ({ ask }) => {
      const { headers, body } = await ask({ path: "/text", headers: { "accept-encoding": "gzip" } });
      assert.deepEqual([headers["content-encoding"], headers["content-length"], headers["vary"]], ["gzip", undefined, "accept-encoding"]);
      assert.ok(body.length < text.length / 4);
    },
  },
  {
    name: "a path that could be read in two ways is refused",
    play: async ({ ask, reached }) => {
      for (const path of ["/a/../b", "/%2e%2e/b", "/a%2fb", "/%00", "/a\\b", "/%c0%af"])
        assert.equal((await ask({ path })).status, 400, path);
      assert.equal(reached.length, 0);
    },
  },
];

type Way = (port: number, t: TestContext) => Promise<(asked: Asked) => Promise<Answer>>;

const ways: readonly { readonly name: string; readonly way: Way; readonly toHttp2: boolean }[] = [
  { name: "HTTP/1.1", way: async (port) => (asked) => askHttp1(port, asked), toHttp2: false },
  { name: "HTTP/2", way: overHttp2, toHttp2: false },
  { name: "HTTP/2 to HTTP/2", way: overHttp2, toHttp2: true },
];

for (const { name, policy = {}, conditions, trusted = [], instances = 1, exceptToHttp2Apps = false, play } of cases)
  test(name, async (t) => {
    for (const { name: by, way, toHttp2 } of ways.filter(({ toHttp2 }) => !toHttp2 || !exceptToHttp2Apps))
      await t.test(`over ${by}`, async (t) => {
        const reached: { path: string; headers: http.IncomingHttpHeaders }[] = [];
        const log: Record<string, unknown>[] = [];
        let had = -1;
        const ports: number[] = [];
        for (let instance = 0; instance < instances; instance++)
          ports.push(
            await startApp(t, toHttp2, (request, answer) => {
              had = instance;
              reached.push({ path: request.url ?? "", headers: { ...request.headers } });
              if (request.url === "/silent") return;
              if (request.url === "/text") answer.setHeader("content-type", "text/plain");
              answer.end(request.url === "/text" ? text : "ok");
            }),
          );
        const print = (line: string) => {
          const entry = JSON.parse(line);
          if (entry.message === "request") log.push(entry);
        };
        const edge = await startEdge(t, {}, { trustedProxies: trusted, print });
        const listener = {
          kind: "public" as const,
          host: "app.test",
          path: "/",
          ...(conditions === undefined ? {} : { when: conditions }),
        };
        const targets = [{ release: 1, weight: 1, endpoints: ports.map((port) => endpoint(port)) }];
        const whole: RoutePolicy = toHttp2 ? { ...policy, upstream: { protocol: "h2c" } } : policy;
        await edge.apply({ set: [routeOf(targets, { listener, policy: whole })], remove: [] });
        const ask = await way(edge.port, t);
        await play({ ask: (asked = {}) => ask(asked), reached, log, last: () => had });
      });
  });

type Listener = (request: http.IncomingMessage | http2.Http2ServerRequest, answer: http.ServerResponse | http2.Http2ServerResponse) => void;

async function startApp(t: TestContext, speaksHttp2: boolean, listener: Listener): Promise<number> {
  const app = speaksHttp2 ? http2.createServer(listener) : http.createServer(listener);
  const sockets = new Set<net.Socket>();
  app.on("connection", (socket: net.Socket) => sockets.add(socket));
  app.listen(0, "127.0.0.1");
  await once(app, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    app.close();
  });
  return (app.address() as net.AddressInfo).port;
}

async function askHttp1(port: number, { method = "GET", path = "/", headers = {}, body }: Asked): Promise<Answer> {
  const request = http.request({ host: "127.0.0.1", port, method, headers: { host: "app.test", ...headers }, agent: false });
  // What node:http would refuse to send itself.
  request.path = path;
  request.on("error", () => {});
  if (body !== undefined && headers["content-length"] === undefined) request.setHeader("transfer-encoding", "chunked");
  request.end(body);
  const [answer] = (await once(request, "response")) as [http.IncomingMessage];
  const pieces: Buffer[] = [];
  for await (const piece of answer) pieces.push(piece);
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(pieces) };
}

async function overHttp2(port: number, t: TestContext): Promise<(asked: Asked) => Promise<Answer>> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  t.after(() => session.destroy());
  await once(session, "connect");
  return async ({ method = "GET", path = "/", headers = {}, body }) => {
    const stream = session.request(
      { ":authority": "app.test", ":method": method, ":path": path, ...headers },
      { endStream: body === undefined },
    );
    stream.on("error", () => {});
    if (body !== undefined) stream.end(body);
    const [answer] = (await once(stream, "response")) as [http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader];
    const pieces: Buffer[] = [];
    for await (const piece of stream) pieces.push(piece);
    return { status: answer[":status"] ?? 0, headers: answer, body: Buffer.concat(pieces) };
  };
}
