import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { type TestContext, test } from "node:test";
import { defaultLimits, type Limits } from "./limits.ts";
import { edgeCertificate, testAuthority } from "./testing/certificates.ts";
import { exchangeBytes, host, ok, RawClient, rawOrigin, routeTo, startEdge, statusOf } from "./testing/edge.ts";

/*
 * Clients and apps that take their time on purpose. Each test waits for an end that only the limit at hand can bring: the others are those of
 * production, or none at all.
 */

const never: Partial<Limits> = {
  ...defaultLimits,
  headMs: 600_000,
  handshakeMs: 600_000,
  clientIdleMs: 600_000,
  bodyIdleMs: 600_000,
  answerMs: 600_000,
  answerIdleMs: 600_000,
  lingerMs: 1,
  sweepMs: 5,
};
const request = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const closing = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;

/** Writes a byte each millisecond until the connection closes; resolves with what came back. */
async function drip(t: TestContext, port: number, start: string, byte = "x"): Promise<string> {
  const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
  let answer = "";
  socket.on("error", () => {});
  socket.on("data", (bytes) => (answer += bytes.toString("latin1")));
  socket.write(start, "latin1");
  const timer = setInterval(() => socket.writable && socket.write(byte, "latin1"), 1);
  t.after(() => clearInterval(timer));
  await new Promise((resolve) => socket.once("close", resolve));
  clearInterval(timer);
  return answer;
}

test("a head that drips has the time of a head, however steadily it drips", async (t) => {
  const origin = await rawOrigin(t);
  const edge = await startEdge(t, { ...never, headMs: 50 });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  assert.equal(statusOf(await drip(t, edge.port, `GET / HTTP/1.1\r\nHost: ${host}\r\nX: `)), 408);
  assert.deepEqual(origin.received, []);
});

test("the head of a later request has no more time than the first one's", async (t) => {
  const origin = await rawOrigin(t);
  const edge = await startEdge(t, { ...never, headMs: 300 });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const answer = await drip(t, edge.port, `${request}GET /second`);
  assert.deepEqual(answer.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 200", "HTTP/1.1 408"]);
});

test("who connects and says nothing is let go, and so is who has nothing more to say", async (t) => {
  const origin = await rawOrigin(t);
  const silent = await startEdge(t, { ...never, headMs: 1 });
  assert.equal(await exchangeBytes(silent.port, ""), "");
  const idle = await startEdge(t, { ...never, clientIdleMs: 1 });
  await idle.apply({ set: [routeTo(origin.port)], remove: [] });
  assert.equal(statusOf(await exchangeBytes(idle.port, request)), 200);
});

test("a body that stops is refused, in chunks too, and the app's instance is free again", async (t) => {
  const gone = Promise.withResolvers<void>();
  const origin = await rawOrigin(t, (_, socket) => socket.once("close", () => gone.resolve()));
  const edge = await startEdge(t, { ...never, bodyIdleMs: 1 });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  for (const start of ["Content-Length: 100\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"])
    assert.equal(statusOf(await exchangeBytes(edge.port, `POST / HTTP/1.1\r\nHost: ${host}\r\n${start}`)), 408);
  await gone.promise;
});

test("a body that drips has the time of its route's whole request", async (t) => {
  const origin = await rawOrigin(t, () => {});
  const edge = await startEdge(t, { ...never, requestMs: 50 });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const answer = await drip(t, edge.port, `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 100000\r\n\r\n`);
  assert.equal(statusOf(answer), 408);
});

test("a body that drips more slowly than its least rate is refused, which the access log says, and is carried where its route wants none", async (t) => {
  const gone = Promise.withResolvers<void>();
  const lines: string[] = [];
  const origin = await rawOrigin(t, (_, socket) => socket.setMaxListeners(0).once("close", () => gone.resolve()));
  const edge = await startEdge(t, { ...never, bodyIdleMs: 200, bodyRate: 1_000_000 }, { print: (line) => lines.push(line) });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const post = `POST / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nContent-Length: `;
  const answer = await drip(t, edge.port, `${post}100000\r\n\r\n`);
  assert.equal(statusOf(answer), 408);
  assert.match(answer, /less than 1000000 bytes a second for 0\.2 s/);
  await gone.promise;
  const [logged] = lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ message }) => message === "request");
  assert.equal(logged?.["status"], 408);
  assert.equal(logged["reason"], "the request's body came too slowly: less than 1000000 bytes a second for 0.2 s");
  assert.equal(logged["client"], "127.0.0.1");

  const patient = await rawOrigin(t, (soFar, socket) => soFar.endsWith("x".repeat(100)) && socket.write(ok));
  await edge.apply({ set: [{ ...routeTo(patient.port), policy: { limits: { bodyRate: 0, idleMs: 600_000 } } }], remove: [] });
  assert.equal(statusOf(await drip(t, edge.port, `${post}100\r\n\r\n`)), 200);
});

test("a body that waits for its app to take it is not the client's fault", async (t) => {
  const took = Promise.withResolvers<net.Socket>();
  const origin = await rawOrigin(t, (_, socket) => {
    // Of a large body it takes no more than its beginning.
    socket.pause();
    took.resolve(socket);
  });
  const edge = await startEdge(t, { ...never, bodyIdleMs: 300, bodyRate: 1 });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const head = `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 100000000\r\n\r\n`;
  const answer = exchangeBytes(edge.port, [head, ...Array.from({ length: 400 }, () => "x".repeat(100_000))]);
  await took.promise;
  assert.equal(statusOf(await answer), 504);
});

/** Answers without an end, until nobody takes them. */
const pour = (_: string, socket: net.Socket) => {
  const piece = Buffer.alloc(65_536, "x");
  socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n");
  const more = () => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on("drain", more);
  more();
};

test("a client that does not read its answer is cut, and the app's instance is free again", async (t) => {
  const gone = Promise.withResolvers<void>();
  const origin = await rawOrigin(t, (soFar, socket) => {
    socket.once("close", () => gone.resolve());
    pour(soFar, socket);
  });
  const edge = await startEdge(t, { ...never, answerIdleMs: 50 });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const client = net.connect(edge.port, "127.0.0.1");
  client.on("error", () => {});
  t.after(() => client.destroy());
  client.write(request);
  client.pause();
  await gone.promise;
  client.resume();
  await new Promise((resolve) => client.once("close", resolve));
});

test("an app that stops in its answer is cut, and the client learns that the answer is not whole", async (t) => {
  const origin = await rawOrigin(t, (_, socket) => socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"));
  const edge = await startEdge(t, { ...never, answerIdleMs: 1 });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const answer = await exchangeBytes(edge.port, request);
  assert.match(answer, /hello/);
  assert.doesNotMatch(answer, /\r\n0\r\n/);
});

test("an app whose head drips has the time of an answer", async (t) => {
  const origin = await rawOrigin(t, (_, socket) => {
    socket.write("HTTP/1.1 200 OK\r\nX: ");
    const timer = setInterval(() => socket.write("x"), 1);
    socket.once("close", () => clearInterval(timer));
  });
  const edge = await startEdge(t, { ...never, answerMs: 50 });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  assert.equal(statusOf(await exchangeBytes(edge.port, closing)), 504);
});

test("a handshake of TLS that says nothing, stops or drips is cut", async (t) => {
  const edge = await startEdge(t, { ...never, handshakeMs: 50 });
  await edge.openTls("127.0.0.1", 0);
  await edge.certify({ set: [await edgeCertificate(await testAuthority(), [host])], remove: [] });
  const start = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
  assert.equal(await exchangeBytes(edge.tlsPort, ""), "");
  assert.doesNotMatch(await exchangeBytes(edge.tlsPort, start), /HTTP/);
  assert.doesNotMatch(await drip(t, edge.tlsPort, start), /HTTP/);
});

test("a header of the PROXY protocol that stops is cut", async (t) => {
  const origin = await rawOrigin(t);
  const edge = await startEdge(t, { ...never, headMs: 1 }, { trustedProxies: ["127.0.0.1"] });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  for (const start of ["", "PROXY TCP4 192.0.2.1", "\r\n\r\n\0\r\nQUIT\n\x21\x11"]) assert.equal(await exchangeBytes(edge.port, start), "");
  assert.deepEqual(origin.received, []);
});

test("a connection of HTTP/2 without a request, or whose request's body never comes, has its end", async (t) => {
  const origin = await rawOrigin(t, () => {});
  const silent = await startEdge(t, { ...never, headMs: 1 });
  const nothing = http2.connect(`http://127.0.0.1:${silent.port}`);
  nothing.on("error", () => {});
  await once(nothing, "close");
  const edge = await startEdge(t, { ...never, bodyIdleMs: 1 });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const session = http2.connect(`http://127.0.0.1:${edge.port}`);
  t.after(() => session.destroy());
  const stream = session.request({ ":authority": host, ":method": "POST" });
  stream.on("error", () => {});
  const [headers] = (await once(stream, "response")) as [http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader];
  assert.equal(headers[":status"], 408);
  stream.close();
});

test("a client of HTTP/2 that opens no window for its answer is cut, and the app's instance is free again", async (t) => {
  const gone = Promise.withResolvers<void>();
  const origin = await rawOrigin(t, (soFar, socket) => {
    socket.once("close", () => gone.resolve());
    pour(soFar, socket);
  });
  const edge = await startEdge(t, { ...never, answerIdleMs: 50 });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const session = http2.connect(`http://127.0.0.1:${edge.port}`, { settings: { initialWindowSize: 0 } });
  t.after(() => session.destroy());
  const stream = session.request({ ":authority": host });
  stream.on("error", () => {});
  await gone.promise;
});

test("a client of HTTP/2 that never closes its side holds nothing for ever", async (t) => {
  const edge = await startEdge(t, { ...never, headMs: 1 });
  const socket = net.connect({ port: edge.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => {});
  socket.resume();
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1");
  await once(socket, "end");
  const timer = setInterval(() => socket.write("\0\0\x08\x06\0\0\0\0\0pingpong", "latin1"), 100);
  t.after(() => clearInterval(timer));
  await new Promise((resolve) => socket.once("close", resolve));
});

test("clients that take their time cost nobody else anything", async (t) => {
  const origin = await rawOrigin(t);
  const edge = await startEdge(t, never);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const slow = Array.from({ length: 200 }, () => new RawClient(edge.port));
  for (const [i, client] of slow.entries())
    client.write(i % 2 === 0 ? "GET / HT" : `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 9\r\n\r\nx`);
  for (let i = 0; i < 20; i++) assert.equal(statusOf(await exchangeBytes(edge.port, closing)), 200);
  for (const { socket } of slow) socket.destroy();
});
