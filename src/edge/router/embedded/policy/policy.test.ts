import assert from "node:assert/strict";
import { once } from "node:events";
import type net from "node:net";
import { type TestContext, test } from "node:test";
import type { RoutePolicy } from "#model/routing-table.ts";
import { exchangeBytes, host, ok, RawClient, rawOrigin, route, startEdge, statusOf } from "../testing/edge.ts";

const get = (more = "", target = "/") => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${more}\r\n`;
const to = (...ports: readonly number[]) => [
  { release: 1, weight: 1, endpoints: ports.map((port) => ({ instance: `s/a/web.1.${port}` as never, host: "127.0.0.1", port })) },
];

async function edgeWith(t: TestContext, policy: RoutePolicy, more: Parameters<typeof startEdge>[2] = {}) {
  const origin = await rawOrigin(t);
  const edge = await startEdge(t, {}, more);
  await edge.apply({ set: [route(to(origin.port), { policy })], remove: [] });
  return { edge, origin, port: edge.port, heads: () => origin.received.join("") };
}

test("a redirect sends clients elsewhere with what they asked for, and the app sees nothing", async (t) => {
  const { port, origin } = await edgeWith(t, { answer: { kind: "redirect", to: "https://new.test{uri}?from={host}{path}", status: 307 } });
  const answer = await exchangeBytes(port, get("", "/a//b?x=1"));
  assert.equal(statusOf(answer), 307);
  assert.match(answer, new RegExp(`\r\nlocation: https://new.test/a/b\\?x=1\\?from=${host}/a/b\r\n`));
  assert.deepEqual(origin.received, []);
});

test("maintenance answers in place of the app until it is over, and is no failure of a release", async (t) => {
  const { edge, origin, port } = await edgeWith(t, { answer: { kind: "maintenance", message: "back at <noon>", retryAfterMs: 90_000 } });
  const answer = await exchangeBytes(port, get("Accept: text/html\r\n"));
  assert.equal(statusOf(answer), 503);
  assert.match(answer, /\r\nretry-after: 90\r\n/);
  assert.match(answer, /back at &#60;noon&#62;/);
  assert.equal(edge.traffic()[0]?.errors, 0);
  await edge.apply({ set: [route(to(origin.port))], remove: [] });
  assert.equal(statusOf(await exchangeBytes(port, get())), 200);
});

test("requests over a rate get a 429 that says when to come back, and other routes are as before", async (t) => {
  const { edge, origin, port } = await edgeWith(t, { limits: { rate: { requests: 2, perMs: 60_000, burst: 2 } } });
  const other = route(to(origin.port), { id: "other", listener: { kind: "public", host, path: "/other" } });
  await edge.apply({ set: [other], remove: [] });
  const answers = [await exchangeBytes(port, get()), await exchangeBytes(port, get()), await exchangeBytes(port, get())];
  assert.deepEqual(answers.map(statusOf), [200, 200, 429]);
  assert.match(answers[2] ?? "", /\r\nretry-after: (29|30)\r\n/);
  assert.equal(statusOf(await exchangeBytes(port, get("", "/other"))), 200);
  assert.deepEqual(edge.traffic().find((one) => one.route === "app")?.classes, [0, 2, 0, 1, 0]);
});

test("a new deploy does not fill the buckets again", async (t) => {
  const policy = { limits: { rate: { requests: 1, perMs: 60_000, burst: 1 } } };
  const { edge, origin, port } = await edgeWith(t, policy);
  assert.equal(statusOf(await exchangeBytes(port, get())), 200);
  await edge.apply({ set: [route(to(origin.port, origin.port), { policy: structuredClone(policy) })], remove: [] });
  assert.equal(statusOf(await exchangeBytes(port, get())), 429);
});

test("rates of clients behind a trusted proxy are those of the clients, and nobody else can pretend to be one", async (t) => {
  const policy = { limits: { ratePerClient: { requests: 1, perMs: 60_000, burst: 1 } } };
  const behind = await edgeWith(t, policy, { trustedProxies: ["127.0.0.0/8"] });
  const statuses = [];
  for (const client of ["198.51.100.1", "198.51.100.1", "198.51.100.2", "2001:db8::1", "2001:db8::2"])
    statuses.push(statusOf(await exchangeBytes(behind.port, get(`X-Forwarded-For: ${client}\r\n`))));
  assert.deepEqual(statuses, [200, 429, 200, 200, 429]);
  const alone = await edgeWith(t, policy);
  const forged = [];
  for (const client of ["198.51.100.1", "198.51.100.2"])
    forged.push(statusOf(await exchangeBytes(alone.port, get(`X-Forwarded-For: ${client}\r\n`))));
  assert.deepEqual(forged, [200, 429]);
});

test("a trusted proxy's word about client, protocol and request goes on, an untrusted one's does not", async (t) => {
  const said =
    "X-Forwarded-For: 10.9.9.9, 198.51.100.1\r\nX-Forwarded-Proto: https\r\nX-Request-Id: req-1\r\nX-Forwarded-Host: evil\r\nForwarded: for=1\r\n";
  const trusted = await edgeWith(t, {}, { trustedProxies: ["127.0.0.1"] });
  await exchangeBytes(trusted.port, get(said));
  assert.match(trusted.heads(), /\r\nx-forwarded-for: 10\.9\.9\.9, 198\.51\.100\.1, 127\.0\.0\.1\r\n/);
  assert.match(trusted.heads(), /\r\nx-real-ip: 198\.51\.100\.1\r\n/);
  assert.match(trusted.heads(), /\r\nx-forwarded-proto: https\r\n/);
  assert.match(trusted.heads(), /\r\nx-request-id: req-1\r\n/);
  assert.doesNotMatch(trusted.heads(), /evil|for=1/);
  for (const id of ["a b", "<x>", "x".repeat(200), ""]) await exchangeBytes(trusted.port, get(`X-Request-Id: ${id}\r\n`));
  assert.equal(trusted.heads().match(/x-request-id: [0-9a-f]{16}-1\r\n/g)?.length, 4, "what is not valid is replaced");
  const alone = await edgeWith(t, {});
  await exchangeBytes(alone.port, get(said));
  assert.match(alone.heads(), /\r\nx-forwarded-for: 127\.0\.0\.1\r\n/);
  assert.match(alone.heads(), /\r\nx-request-id: [0-9a-f]{16}-1\r\n/);
});

test("a client's trace goes on, a broken one is replaced, and who has none gets one where the route says so", async (t) => {
  const { port, heads } = await edgeWith(t, { trace: true });
  const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  for (const line of [
    `traceparent: ${trace}\r\n`,
    "traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01\r\n",
    `traceparent: ${trace.toUpperCase()}\r\n`,
    `traceparent: ff${trace.slice(2)}\r\n`,
    `traceparent: ${trace}-more\r\n`,
    `traceparent: ${trace}\r\nTraceparent: ${trace.replace("b7", "c8")}\r\n`,
    "",
  ])
    await exchangeBytes(port, get(line));
  const seen = heads()
    .split("\r\n\r\n")
    .map((head) => head.match(/^traceparent: .*$/gim)?.map((line) => line.trim().slice(13)) ?? []);
  assert.deepEqual(seen[0], [trace]);
  assert.deepEqual(seen[5], [trace]);
  for (const at of [1, 2, 3, 4, 6]) {
    assert.equal(seen[at]?.length, 1);
    assert.match(seen[at]?.[0] ?? "", /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    assert.notEqual(seen[at]?.[0]?.slice(3, 35), trace.slice(3, 35));
  }
  const plain = await edgeWith(t, {});
  await exchangeBytes(plain.port, get(`traceparent: ${trace}\r\n`));
  await exchangeBytes(plain.port, get("traceparent: nonsense\r\n"));
  assert.deepEqual(plain.heads().match(/traceparent: .*/g), [`traceparent: ${trace}`]);
});

test("bodies beyond the route's limit are refused whether their length is said before or not, and what fits passes", async (t) => {
  const { port, origin } = await edgeWith(t, { limits: { bodyBytes: 10 } });
  const post = (more: string) => `POST / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${more}`;
  assert.equal(statusOf(await exchangeBytes(port, post("Content-Length: 11\r\n\r\nhello world"))), 413);
  assert.deepEqual(origin.received, []);
  const chunked = `${post("Transfer-Encoding: chunked\r\n\r\n")}6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n`;
  assert.equal(statusOf(await exchangeBytes(port, chunked)), 413);
  const answering = await rawOrigin(t, (soFar, socket) => soFar.endsWith("0123456789") && socket.write(ok));
  const edge = await startEdge(t);
  await edge.apply({ set: [route(to(answering.port), { policy: { limits: { bodyBytes: 10, headBytes: 300 } } })], remove: [] });
  assert.equal(statusOf(await exchangeBytes(edge.port, post("Content-Length: 10\r\n\r\n0123456789"))), 200);
  assert.equal(statusOf(await exchangeBytes(edge.port, get(`X: ${"x".repeat(300)}\r\n`))), 431);
});

test("a request that takes longer than its route allows ends, though bytes come all the time", async (t) => {
  const origin = await rawOrigin(t, (_soFar, socket) => {
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
    const timer = setInterval(() => socket.write("x"), 20);
    socket.on("close", () => clearInterval(timer));
  });
  const silent = await rawOrigin(t, () => {});
  const edge = await startEdge(t);
  const short = { limits: { requestMs: 300 } };
  await edge.apply({
    set: [
      route(to(origin.port), { policy: short }),
      route(to(silent.port), { id: "b", listener: { kind: "public", host, path: "/late" }, policy: { limits: { answerMs: 100 } } }),
    ],
    remove: [],
  });
  const answer = await exchangeBytes(edge.port, get());
  assert.ok(statusOf(answer) === 200 && answer.length < 1_000_000);
  assert.equal(statusOf(await exchangeBytes(edge.port, get("", "/late"))), 504);
});

/** The name of the instance that answered, and the cookie that came with it. */
const named = (name: string) => (soFar: string, socket: net.Socket) => {
  if (soFar.endsWith("\r\n\r\n")) socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${name.length}\r\n\r\n${name}`);
};
const cookieOf = (answer: string) => /\r\nset-cookie: (drover-[^=]+=[^;]+); (.*)\r\n/.exec(answer) ?? [];

test("a client comes back to its instance, then to its release, then anywhere; new ones go by weight", async (t) => {
  const [a, b, c] = [await rawOrigin(t, named("a")), await rawOrigin(t, named("b")), await rawOrigin(t, named("c"))];
  const edge = await startEdge(t);
  const policy = { sticky: { forMs: 3_600_000 } };
  const table = (one: readonly number[], weight: number) => ({
    set: [
      route(
        [
          { ...to(...one)[0], release: 1, weight },
          { ...to(c.port)[0], release: 2, weight: 100 },
        ] as never,
        { policy },
      ),
    ],
    remove: [],
  });
  await edge.apply(table([a.port, b.port], 0.001));
  assert.equal((await exchangeBytes(edge.port, get())).at(-1), "c", "weights count for new clients");
  await edge.apply(table([a.port, b.port], 1_000_000));
  const first = await exchangeBytes(edge.port, get());
  const name = first.at(-1);
  const [, cookie = "", attributes] = cookieOf(first);
  assert.match(attributes ?? "", /^Max-Age=3600; Path=\/; HttpOnly; SameSite=Lax$/);
  assert.doesNotMatch(cookie, /127|web|s\/a/);
  await edge.apply(table([a.port, b.port], 0.001));
  for (let i = 0; i < 10; i++) {
    const again = await exchangeBytes(edge.port, get(`Cookie: other=1; ${cookie}\r\n`));
    assert.equal(again.at(-1), name);
    assert.equal(cookieOf(again).length, 0, "who has the cookie is not given it again");
  }
  await edge.apply(table([name === "a" ? b.port : a.port], 0.001));
  const moved = await exchangeBytes(edge.port, get(`Cookie: ${cookie}\r\n`));
  assert.equal(moved.at(-1), name === "a" ? "b" : "a", "its release is still there");
  assert.notEqual(cookieOf(moved)[1], cookie);
  await edge.apply(table([a.port, b.port], 0));
  assert.equal((await exchangeBytes(edge.port, get(`Cookie: ${cookie}\r\n`))).at(-1), "c", "a release that takes nothing lets go");
  for (const forged of ["drover-x=1", `${cookie}x`, cookie.replace(/=.*/, "=127.0.0.1:1"), "="])
    assert.equal(statusOf(await exchangeBytes(edge.port, get(`Cookie: ${forged}\r\n`))), 200);
});

test("the cookie is for TLS alone where the client came over TLS", async (t) => {
  const { port } = await edgeWith(t, { sticky: { forMs: 1_000 } }, { trustedProxies: ["127.0.0.1"] });
  assert.match(cookieOf(await exchangeBytes(port, get("X-Forwarded-Proto: https\r\n")))[2] ?? "", /; Secure$/);
});

test("an instance that answers 500 again and again is passed over", async (t) => {
  const bad = await rawOrigin(
    t,
    (soFar, socket) => soFar.endsWith("\r\n\r\n") && socket.write("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"),
  );
  const good = await rawOrigin(t);
  const edge = await startEdge(t);
  await edge.apply({ set: [route(to(bad.port, good.port))], remove: [] });
  let failures = 0;
  for (let i = 0; i < 100; i++) if (statusOf(await exchangeBytes(edge.port, get())) === 500) failures++;
  assert.equal(failures, 5);
});

test("the log has every failed request and a share of the others, and never a query", async (t) => {
  const lines: string[] = [];
  const logged = await edgeWith(t, { logShare: 1 }, { print: (line) => lines.push(line) });
  await exchangeBytes(logged.port, get("", "/page?token=secret"));
  const entry = JSON.parse(lines.find((line) => line.includes("/page")) ?? "{}");
  assert.deepEqual([entry.method, entry.path, entry.status, entry.release, entry.client], ["GET", "/page", 200, 1, "127.0.0.1"]);
  assert.match(entry.request_id, /^[0-9a-f]{16}-1$/);
  assert.doesNotMatch(lines.join(""), /secret/);
  lines.length = 0;
  await logged.edge.apply({ set: [route(to(logged.origin.port))], remove: [] });
  await exchangeBytes(logged.port, get());
  assert.deepEqual(lines, [], "by default what went well is not told");
  await logged.origin.close();
  await exchangeBytes(logged.port, get());
  assert.equal(JSON.parse(lines[0] ?? "{}").status, 503);
});

test("a flood of failures leaves a bounded number of lines", async (t) => {
  const lines: string[] = [];
  const bad = await rawOrigin(
    t,
    (soFar, socket) => soFar.endsWith("\r\n\r\n") && socket.write("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"),
  );
  const edge = await startEdge(t, {}, { print: (line) => lines.push(line) });
  await edge.apply({ set: [route(to(bad.port))], remove: [] });
  const client = new RawClient(edge.port);
  await once(client.socket, "connect");
  const one = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  for (let i = 0; i < 400; i++) {
    client.write(one);
    await client.until("\r\n\r\n");
  }
  client.socket.destroy();
  assert.ok(lines.length <= 205, String(lines.length));
});
