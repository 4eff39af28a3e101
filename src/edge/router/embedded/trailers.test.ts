import assert from "node:assert/strict";
import http2 from "node:http2";
import { type TestContext, test } from "node:test";
import zlib from "node:zlib";
import type { EmbeddedRouter } from "./embedded-router.ts";
import { exchangeBytes, host, RawClient, type RawOrigin, rawOrigin, routeTo, startEdge } from "./testing/edge.ts";

const chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\n";
const request = (...headers: readonly string[]) =>
  `GET / HTTP/1.1\r\nHost: ${host}\r\n${headers.map((line) => `${line}\r\n`).join("")}\r\n`;

/** An edge before an app that answers each request with these bytes. */
async function before(t: TestContext, answer: string): Promise<{ readonly edge: EmbeddedRouter; readonly origin: RawOrigin }> {
  const origin = await rawOrigin(t, (soFar, socket) => soFar.endsWith("\r\n\r\n") && socket.write(answer, "latin1"));
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  return { edge, origin };
}

interface Http2Answer {
  readonly body: Buffer;
  readonly trailers: object;
  /** 0: the answer ended as it should. */
  readonly code: number;
}

async function askOverHttp2(
  t: TestContext,
  edge: EmbeddedRouter,
  headers: http2.OutgoingHttpHeaders = {},
  endStream = true,
): Promise<Http2Answer> {
  const session = http2.connect(`http://127.0.0.1:${edge.port}`);
  t.after(() => session.destroy());
  const stream = session.request({ ":authority": host, ...headers }, { endStream });
  // The code says it.
  stream.on("error", () => {});
  let trailers = {};
  // Without what Node adds to them.
  stream.on("trailers", (received) => (trailers = Object.fromEntries(Object.entries(received))));
  const pieces: Buffer[] = [];
  stream.on("data", (bytes: Buffer) => pieces.push(bytes));
  await new Promise((resolve) => stream.once("close", resolve));
  return { body: Buffer.concat(pieces), trailers, code: stream.rstCode ?? 0 };
}

test("trailers of an answer reach a client of HTTP/1.1 that takes them, and the app is told that they do", async (t) => {
  const { edge, origin } = await before(t, `${chunks}X-Sum: a\r\nx-sum: b\r\nServer-Timing:db;dur=5 \r\n\r\n`);
  const answer = await exchangeBytes(edge.port, request("TE: deflate;q=0.5 , Trailers", "Connection: TE, close"));
  assert.match(answer, /\r\ntrailer: X-Sum\r\n/);
  assert.ok(answer.endsWith("5\r\nhello\r\n0\r\nX-Sum: a\r\nx-sum: b\r\nServer-Timing:db;dur=5 \r\n\r\n"), answer);
  assert.match(origin.received[0] ?? "", /\r\nte: trailers\r\nconnection: te\r\n\r\n$/);
});

test("the connection serves the next request after trailers", async (t) => {
  const { edge, origin } = await before(t, `${chunks}X-Sum: a\r\n\r\n`);
  const client = new RawClient(edge.port);
  for (let i = 0; i < 3; i++) {
    client.write(request("TE: trailers", "Connection: TE"));
    await client.until("0\r\nX-Sum: a\r\n\r\n");
  }
  client.socket.destroy();
  assert.equal(origin.received.length, 1);
});

test("who does not say so gets no trailers, and the app is not told to send any", async (t) => {
  const { edge, origin } = await before(t, `${chunks}X-Sum: a\r\n\r\n`);
  for (const headers of [[], ["TE: gzip"], ["TE: trailersx"]]) {
    const answer = await exchangeBytes(edge.port, request(...headers, "Connection: close"));
    assert.ok(answer.endsWith("hello\r\n0\r\n\r\n"), answer);
    assert.doesNotMatch(answer, /x-sum/i);
  }
  const old = await exchangeBytes(edge.port, request("TE: trailers").replace("HTTP/1.1", "HTTP/1.0"));
  assert.ok(old.endsWith("\r\n\r\nhello"), old);
  assert.doesNotMatch(origin.received.slice(0, -1).join(""), /^te:/im);
});

test("trailers of an answer reach a client of HTTP/2, however the app's bytes are cut", async (t) => {
  const answer = `${chunks}X-Sum: a\r\nGrpc-Status: 0\r\nx-sum: b\r\n\r\n`;
  const { edge } = await before(t, answer);
  const whole = await askOverHttp2(t, edge);
  assert.deepEqual([whole.body.toString(), whole.code], ["hello", 0]);
  assert.deepEqual(whole.trailers, { "x-sum": "a, b", "grpc-status": "0" });
  const origin = await rawOrigin(t, (soFar, socket) => {
    if (!soFar.endsWith("\r\n\r\n")) return;
    socket.setNoDelay(true);
    void [...answer].reduce(async (sent, byte) => {
      await sent;
      await new Promise((resolve) => socket.write(byte, "latin1", resolve));
    }, Promise.resolve());
  });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  assert.deepEqual((await askOverHttp2(t, edge)).trailers, whole.trailers);
});

test("an answer without trailers has none over HTTP/2, and one that breaks off is no whole one", async (t) => {
  const { edge } = await before(t, `${chunks}\r\n`);
  assert.deepEqual(await askOverHttp2(t, edge), { body: Buffer.from("hello"), trailers: {}, code: 0 });
  const broken = await before(t, `${chunks}Content-Length: 5\r\n\r\n`);
  assert.notEqual((await askOverHttp2(t, broken.edge)).code, 0);
});

test("an answer that comes before the end of its request keeps its trailers", async (t) => {
  const { edge } = await before(t, `${chunks}X-Sum: a\r\n\r\n`);
  const answer = await askOverHttp2(t, edge, { ":method": "POST" }, false);
  assert.deepEqual(answer, { body: Buffer.from("hello"), trailers: { "x-sum": "a" }, code: 0 });
});

test("a compressed answer keeps its trailers", async (t) => {
  const text = "x".repeat(5_000);
  const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n";
  const { edge } = await before(t, `${head}${text.length.toString(16)}\r\n${text}\r\n0\r\nX-Sum: a\r\n\r\n`);
  const { body, trailers } = await askOverHttp2(t, edge, { "accept-encoding": "gzip" });
  assert.equal(zlib.gunzipSync(body).toString(), text);
  assert.deepEqual(trailers, { "x-sum": "a" });
});

test("behind a body nothing is said that a client or a browser goes by", async (t) => {
  const taken = [
    "Set-Cookie: a=b",
    "Location: /x",
    "Content-Type: text/html",
    "Cache-Control: public",
    "X-Forwarded-For: 6.6.6.6",
    "X_Real_Ip: 6",
  ];
  const { edge } = await before(t, `${chunks}${taken.map((line) => `${line}\r\n`).join("")}X-Sum: a\r\n\r\n`);
  const answer = await exchangeBytes(edge.port, request("TE: trailers", "Connection: TE, close"));
  assert.ok(answer.endsWith("hello\r\n0\r\nX-Sum: a\r\n\r\n"), answer);
  for (const line of [
    "Content-Length: 5",
    "Transfer-Encoding: chunked",
    "Connection: close",
    "Trailer: X",
    "Content_Length: 5",
    "X : a",
    "X: \0",
  ]) {
    const { edge: doubtful } = await before(t, `${chunks}${line}\r\n\r\n`);
    const broken = await exchangeBytes(doubtful.port, request("TE: trailers", "Connection: TE, close"));
    assert.doesNotMatch(broken, /0\r\n[\s\S]*\r\n\r\n$/, line);
  }
});

test("trailers without an end are cut off", async (t) => {
  const { edge } = await before(t, `${chunks}${`X: ${"y".repeat(1_000)}\r\n`.repeat(9)}\r\n`);
  assert.doesNotMatch(await exchangeBytes(edge.port, request("TE: trailers", "Connection: TE, close")), /\r\n0\r\n/);
});
