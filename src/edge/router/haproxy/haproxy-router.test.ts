import assert from "node:assert/strict";
import { test as nodeTest, type TestContext } from "node:test";
import tls from "node:tls";
import type { RouteId } from "#model/names.ts";
import type { Route, RoutePolicy } from "#model/routing-table.ts";
import { edgeCertificate, testAuthority } from "../embedded/testing/certificates.ts";
import { endpoint, exchangeBytes, host, ok, RawClient, rawOrigin, route, routeTo, statusOf } from "../embedded/testing/edge.ts";
import { haproxyMissing, startHaproxy } from "../testing/routers.ts";

const skip = await haproxyMissing();
const authority = await testAuthority();
const test = (sentence: string, body: (t: TestContext) => Promise<void>) => nodeTest(sentence, { skip }, body);
const request = (path = "/", name = host, ...headers: readonly string[]) =>
  `GET ${path} HTTP/1.1\r\nHost: ${name}\r\n${headers.map((header) => `${header}\r\n`).join("")}\r\n`;
const ask = (port: number, path = "/", name = host, ...headers: readonly string[]) =>
  exchangeBytes(port, request(path, name, "Connection: close", ...headers));
const named = (name: string) => (_: string, socket: { write(text: string): void }) =>
  socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${name.length}\r\n\r\n${name}`);
const bodyOf = (answer: string) => answer.slice(answer.indexOf("\r\n\r\n") + 4);

function routeWith(policy: RoutePolicy, port: number, id = "app", path = "/"): Route {
  return { ...route([{ release: 1, weight: 1, endpoints: [endpoint(port)] }], { id, listener: { kind: "public", host, path } }), policy };
}

test("endpoints, weights and further routes change without a new process", async (t) => {
  const [first, second] = await Promise.all([rawOrigin(t, named("first")), rawOrigin(t, named("second"))]);
  const edge = await startHaproxy(t);
  await edge.apply({ set: [routeTo(first.port)], remove: [] });
  const { pid } = edge;
  await edge.apply({ set: [routeTo(second.port)], remove: [] });
  assert.equal(bodyOf(await ask(edge.port)), "second");
  const more = route(routeTo(first.port).targets, { id: "more", listener: { kind: "public", host: "*.more.test", path: "/a" } });
  await edge.apply({ set: [more], remove: [] });
  assert.equal(bodyOf(await ask(edge.port, "/a/b", "x.more.test")), "first");
  assert.equal(statusOf(await ask(edge.port, "/a", "x.y.more.test")), 404);
  await edge.apply({ set: [], remove: ["more" as RouteId] });
  assert.equal(statusOf(await ask(edge.port, "/a", "x.more.test")), 404);
  assert.equal(edge.pid, pid);
});

test("a change that needs a new process cuts no connection, and what comes on an old one goes where the table says now", async (t) => {
  const [first, second] = await Promise.all([rawOrigin(t, named("first")), rawOrigin(t, named("second"))]);
  const edge = await startHaproxy(t);
  await edge.apply({ set: [routeTo(first.port)], remove: [] });
  const { pid } = edge;
  const clients = [new RawClient(edge.port), new RawClient(edge.port)];
  for (const client of clients) {
    client.write(request());
    await client.until("first");
  }
  await edge.apply({ set: [routeWith({ compress: false }, first.port)], remove: [] });
  assert.notEqual(edge.pid, pid);
  await edge.apply({ set: [routeWith({ compress: false }, second.port)], remove: [] });
  for (const client of clients) {
    client.write(request());
    await client.until("second");
    client.socket.destroy();
  }
});

test("when HAProxy is killed, who connects meanwhile waits and is served", async (t) => {
  const origin = await rawOrigin(t);
  const edge = await startHaproxy(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  for (let round = 0; round < 3; round++) {
    const { pid } = edge;
    if (pid !== null) process.kill(pid, "SIGKILL");
    assert.equal(statusOf(await ask(edge.port)), 200);
    // It answers a moment before the edge knows that it does.
    while (edge.pid === null || edge.pid === pid) await new Promise((resolve) => setImmediate(resolve));
  }
});

test("a route that HAProxy refuses is told of in its words, and holds up no other", async (t) => {
  const origin = await rawOrigin(t);
  const edge = await startHaproxy(t);
  const bad = routeWith({ upstream: { protocol: "https", verify: true, caPem: "no certificate" } }, origin.port, "bad", "/bad");
  await edge.apply({ set: [bad, routeTo(origin.port)], remove: [] });
  const [problem] = edge.problems();
  assert.equal(problem?.route, "bad");
  assert.equal(problem?.code, "ROUTE_REFUSED");
  assert.match(problem?.message ?? "", /ca-file|CA/);
  assert.equal(statusOf(await ask(edge.port)), 200);
  await edge.apply({ set: [routeWith({}, origin.port, "bad", "/bad")], remove: [] });
  assert.deepEqual(edge.problems(), []);
});

test("what HAProxy cannot carry is a problem of its route", async (t) => {
  const edge = await startHaproxy(t);
  const of = (id: string, listener: Route["listener"]) => route([], { id, listener });
  await edge.apply({
    set: [
      of("udp", { kind: "port", port: 5_353, protocol: "udp" }),
      of("sni", { kind: "passthrough", host: "a.test" }),
      of("host", { kind: "public", host: "a test\nbind :1", path: "/" }),
      routeWith({ tls: { client: { caPem: "x" } } }, 1, "client"),
    ],
    remove: [],
  });
  assert.deepEqual(
    edge.problems().map(({ route, code }) => [route, code]),
    ["udp", "sni", "host", "client"].map((id) => [id, "ROUTE_NOT_CARRIED"]),
  );
  assert.equal(statusOf(await ask(edge.port)), 404, "a route that asks for client certificates is served to nobody");
});

test("what HAProxy carries in another way than the route says is a problem of it too, and holds up no request", async (t) => {
  const origin = await rawOrigin(t);
  const edge = await startHaproxy(t);
  const wanted: readonly (readonly [string, RoutePolicy, RegExp])[] = [
    ["trace", { trace: true }, /no traces/],
    ["log", { logShare: 0.1 }, /no access log/],
    ["request", { limits: { requestMs: 1_000 } }, /whole request/],
    ["head", { limits: { headBytes: 1_000 } }, /heads/],
  ];
  const byName: Route = route([{ release: 1, weight: 1, endpoints: [endpoint(origin.port), { ...endpoint(1), host: "app.internal" }] }], {
    id: "name",
    listener: { kind: "public", host, path: "/name" },
  });
  const routes = wanted.map(([id, policy]) => routeWith(policy, origin.port, id, `/${id}`));
  await edge.apply({ set: [...routes, byName], remove: [] });
  const problems = new Map(edge.problems().map(({ route, code, message }) => [route as string, `${code}: ${message}`]));
  for (const [id, , words] of wanted) {
    assert.match(problems.get(id) ?? "", /^ROUTE_PARTLY_CARRIED: /);
    assert.match(problems.get(id) ?? "", words);
    assert.equal(statusOf(await ask(edge.port, `/${id}`)), 200);
  }
  assert.equal(problems.get("name"), 'ROUTE_PARTLY_CARRIED: "app.internal" is no IP address');
  assert.equal(statusOf(await ask(edge.port, "/name")), 200);
  await edge.apply({ set: [...wanted.map(([id]) => routeWith({}, origin.port, id, `/${id}`))], remove: ["name" as RouteId] });
  assert.deepEqual(edge.problems(), []);
});

test("policies: redirects, maintenance, limits of bodies and rates, conditions", async (t) => {
  const origin = await rawOrigin(t, named("app"));
  const beta = await rawOrigin(t, named("beta"));
  const edge = await startHaproxy(t);
  const conditional = (id: string, port: number, when: object) =>
    route([{ release: 1, weight: 1, endpoints: [endpoint(port)] }], { id, listener: { kind: "public", host, path: "/when", when } });
  await edge.apply({
    set: [
      routeTo(origin.port),
      routeWith({ answer: { kind: "redirect", to: "https://new.test{uri}", status: 301 } }, 1, "moved", "/moved"),
      routeWith({ answer: { kind: "maintenance", message: `back "soon" %[src] <b>`, retryAfterMs: 90_000 } }, 1, "closed", "/closed"),
      routeWith({ limits: { bodyBytes: 3 } }, origin.port, "small", "/small"),
      routeWith({ limits: { rate: { requests: 1, perMs: 60_000, burst: 2 } } }, origin.port, "slow", "/slow"),
      conditional("beta", beta.port, { headers: { "x-beta": "it's 1" }, methods: ["GET"] }),
    ],
    remove: [],
  });
  assert.deepEqual(edge.problems(), []);
  assert.match(await ask(edge.port, "/moved/a?b=1"), /^HTTP\/1\.1 301 [\s\S]*location: https:\/\/new\.test\/moved\/a\?b=1\r\n/i);
  const closed = await ask(edge.port, "/closed");
  assert.match(closed, /^HTTP\/1\.1 503 [\s\S]*retry-after: 90\r\n[\s\S]*back "soon" %\[src\] <b>\n$/);
  assert.match(await ask(edge.port, "/closed", host, "Accept: text/html"), /&#60;b&#62;/);
  const post = (length: number) =>
    exchangeBytes(
      edge.port,
      `POST /small HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n${"x".repeat(length)}`,
    );
  assert.deepEqual([statusOf(await post(3)), statusOf(await post(4))], [200, 413]);
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push(statusOf(await ask(edge.port, "/slow")));
  assert.deepEqual(statuses, [200, 200, 429]);
  assert.equal(bodyOf(await ask(edge.port, "/when/x", host, "X-Beta: it's 1")), "beta");
  assert.equal(bodyOf(await ask(edge.port, "/when/x", host, "X-Beta: 2")), "app");
});

test("a client stays with the instance that served it first", async (t) => {
  const origins = await Promise.all(["one", "two", "three"].map((name) => rawOrigin(t, named(name))));
  const edge = await startHaproxy(t);
  const targets = [{ release: 1, weight: 1, endpoints: origins.map(({ port }) => endpoint(port)) }];
  await edge.apply({ set: [{ ...route(targets), policy: { sticky: { forMs: 60_000 } } }], remove: [] });
  const first = await ask(edge.port);
  const cookie = /set-cookie: ([^;]+)/i.exec(first)?.[1] ?? "";
  for (let i = 0; i < 10; i++) assert.equal(bodyOf(await ask(edge.port, "/", host, `Cookie: ${cookie}`)), bodyOf(first));
});

test("a TCP port takes and sends the PROXY protocol", async (t) => {
  const origin = await rawOrigin(t, (_, socket) => socket.end("done"));
  const taken = await rawOrigin(t);
  await taken.close();
  const edge = await startHaproxy(t);
  const port: Route = {
    ...route([{ release: 1, weight: 1, endpoints: [endpoint(origin.port)] }], {
      listener: { kind: "port", port: taken.port, protocol: "tcp" },
    }),
    policy: { proxyProtocol: { from: true, to: true } },
  };
  await edge.apply({ set: [port], remove: [] });
  assert.equal(await exchangeBytes(taken.port, "PROXY TCP4 192.0.2.7 192.0.2.8 1000 2000\r\nhello"), "done");
  const received = Buffer.from(origin.received[0] ?? "", "latin1");
  assert.equal(received.subarray(0, 12).toString("latin1"), "\r\n\r\n\0\r\nQUIT\n");
  assert.deepEqual([...received.subarray(16, 20)], [192, 0, 2, 7]);
  assert.ok(received.toString("latin1").endsWith("hello"));
});

test("a long answer outlives several changes of the process, and counts as open until it ends", async (t) => {
  const asked = Promise.withResolvers<() => void>();
  const origin = await rawOrigin(t, (_, socket) => asked.resolve(() => socket.write(ok)));
  const edge = await startHaproxy(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const answer = ask(edge.port);
  const finish = await asked.promise;
  for (const compress of [false, true, false]) await edge.apply({ set: [routeWith({ compress }, origin.port)], remove: [] });
  const drains = edge.draining(t.signal)[Symbol.asyncIterator]();
  await edge.apply({ set: [], remove: ["app" as RouteId] });
  assert.deepEqual((await drains.next()).value, { instance: `space/app/web.1.${origin.port}`, open: 1 });
  finish();
  assert.equal(statusOf(await answer), 200);
  assert.deepEqual((await drains.next()).value, { instance: `space/app/web.1.${origin.port}`, open: 0 });
});

async function getOverTls(port: number, servername: string, name = servername): Promise<string> {
  const socket = tls.connect({ host: "127.0.0.1", port, ca: authority.cert, servername });
  socket.on("error", () => {});
  let answer = "";
  socket.on("data", (bytes) => (answer += bytes));
  socket.write(request("/", name, "Connection: close"));
  // A refused handshake is an error before it, and the empty answer tells it.
  await new Promise((resolve) => socket.once("close", resolve));
  return answer;
}

test("certificates come, are renewed and go without a new process; one that HAProxy refuses leaves the last in force", async (t) => {
  const origin = await rawOrigin(t);
  const edge = await startHaproxy(t, { tls: true });
  const [a, b, renewed] = await Promise.all([["a.test"], ["b.test"], ["a.test"]].map((hosts) => edgeCertificate(authority, hosts)));
  if (a === undefined || b === undefined || renewed === undefined) throw new Error("no certificates");
  const at = (name: string) => route(routeTo(origin.port).targets, { id: name, listener: { kind: "public", host: name, path: "/" } });
  await edge.apply({ set: [at("a.test"), at("b.test")], remove: [] });
  const { pid } = edge;
  await edge.certify({ set: [a, b], remove: [] });
  assert.equal(statusOf(await getOverTls(edge.tlsPort, "a.test")), 200);
  assert.equal(statusOf(await getOverTls(edge.tlsPort, "b.test")), 200);
  assert.match(origin.received.join(""), /x-forwarded-proto: https/);
  assert.equal(statusOf(await getOverTls(edge.tlsPort, "a.test", "b.test")), 421);
  await edge.certify({ set: [{ ...renewed, id: a.id }], remove: [] });
  assert.equal(statusOf(await getOverTls(edge.tlsPort, "a.test")), 200);
  await edge.certify({ set: [{ ...a, chain: "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----" }], remove: [] });
  assert.equal(statusOf(await getOverTls(edge.tlsPort, "a.test")), 200);
  const [problem, ...others] = edge.problems();
  assert.deepEqual([problem?.route, problem?.code, others], ["a.test", "CERTIFICATE_REFUSED", []]);
  assert.match(problem?.message ?? "", /^HAProxy refused the certificate for a\.test, the one before it stays in force: \S/);
  await edge.certify({ set: [{ ...renewed, id: a.id }], remove: [] });
  assert.deepEqual(edge.problems(), []);
  await edge.certify({ set: [], remove: [b.id] });
  assert.equal(await getOverTls(edge.tlsPort, "b.test"), "");
  assert.equal(edge.pid, pid);
});

test("a first certificate that HAProxy refuses is a problem of its route until a good one comes, and costs no other route", async (t) => {
  const origin = await rawOrigin(t);
  const edge = await startHaproxy(t, { tls: true });
  const [good, other] = await Promise.all([edgeCertificate(authority, ["a.test"]), edgeCertificate(authority, ["b.test"])]);
  const at = (name: string) => route(routeTo(origin.port).targets, { id: name, listener: { kind: "public", host: name, path: "/" } });
  await edge.apply({ set: [at("a.test"), at("b.test")], remove: [] });
  // The key of another one: each half is a good one.
  await edge.certify({ set: [{ ...good, key: other.key }, other], remove: [] });
  assert.deepEqual(
    edge.problems().map(({ route, code }) => [route, code]),
    [["a.test", "CERTIFICATE_REFUSED"]],
  );
  assert.match(edge.problems()[0]?.message ?? "", /so none is served/);
  assert.equal(await getOverTls(edge.tlsPort, "a.test"), "");
  assert.equal(statusOf(await getOverTls(edge.tlsPort, "b.test")), 200);
  // A new process is told of none that was refused.
  await edge.apply({ set: [{ ...at("b.test"), policy: { compress: false } }], remove: [] });
  assert.equal(statusOf(await getOverTls(edge.tlsPort, "b.test")), 200);
  await edge.certify({ set: [good], remove: [] });
  assert.deepEqual(edge.problems(), []);
  assert.equal(statusOf(await getOverTls(edge.tlsPort, "a.test")), 200);
});
