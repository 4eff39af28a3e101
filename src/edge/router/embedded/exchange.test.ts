import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type net from "node:net";
import type { Readable } from "node:stream";
import { test } from "node:test";
import { exchangeBytes, host, ok, RawClient, rawOrigin, routeTo, startEdge, statusOf } from "./testing/edge.ts";

const request = (path = "/", ...headers: readonly string[]) =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${headers.map((h) => `${h}\r\n`).join("")}\r\n`;
const closing = request("/", "Connection: close");

/** The content of a whole chunked body, every byte of whose framing has to be as the RFC has it. */
function unchunked(body: string): string {
  let content = "";
  for (let at = 0; ; ) {
    const size =
      /^([0-9a-f]+)\r\n/.exec(body.slice(at, at + 20))?.[1] ?? assert.fail(`no chunk at ${at}: ${JSON.stringify(body.slice(at, at + 20))}`);
    const from = at + size.length + 2;
    at = from + Number.parseInt(size, 16);
    assert.equal(body.slice(at, at + 2), "\r\n");
    if (at === from) {
      assert.equal(at + 2, body.length, "nothing follows the last chunk");
      return content;
    }
    content += body.slice(from, at);
    at += 2;
  }
}

/** What a client gets for what an app sends. */
async function answerTo(t: { after(fn: () => unknown): void }, appSends: string | readonly string[], sent = closing): Promise<string> {
  const origin = await rawOrigin(t, (soFar, socket) => {
    if (!soFar.endsWith("\r\n\r\n")) return;
    const parts = typeof appSends === "string" ? [appSends] : appSends;
    const next = (at: number) => {
      const part = parts[at];
      if (part === undefined) socket.end();
      else socket.write(part, "latin1", () => setImmediate(next, at + 1));
    };
    next(0);
  });
  const edge = await startEdge(t, { holdMs: 50 });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  return exchangeBytes(edge.port, sent);
}

test("long answers are what the app sent, byte for byte, to clients that read slowly at the same time", async (t) => {
  const bodies = Array.from({ length: 2 }, (_, at) => Buffer.from(Uint32Array.from({ length: 2_500_000 }, (_, i) => i * 2 + at).buffer));
  const server = http.createServer((incoming, answer) => {
    const [, at, framing] = (incoming.url ?? "").split("/");
    const body = bodies[Number(at)] ?? assert.fail(`nothing at ${incoming.url}`);
    if (framing === "length") answer.setHeader("content-length", body.length);
    answer.write(body.subarray(0, 100_000));
    answer.end(body.subarray(100_000));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo((server.address() as net.AddressInfo).port)], remove: [] });
  const read = async (path: string): Promise<Buffer> => {
    const [answer] = (await once(http.get({ port: edge.port, path, headers: { host }, agent: false }), "response")) as [Readable];
    const pieces: Buffer[] = [];
    for await (const piece of answer) {
      pieces.push(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return Buffer.concat(pieces);
  };
  // The second time over connections that were read from before.
  for (let time = 0; time < 2; time++)
    await Promise.all(
      bodies.map(async (body, at) => assert.ok(body.equals(await read(`/${at}/${at % 2 === 0 ? "length" : "chunks"}`)), `body ${at}`)),
    );
});

test("an answer passes unchanged but for what belongs to the connection", async (t) => {
  const answer = await answerTo(
    t,
    "HTTP/1.1 201 Made it\r\nX-A: 1\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\nContent-Length: 2\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\r\nhi",
  );
  assert.equal(
    answer,
    "HTTP/1.1 201 Made it\r\nX-A: 1\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\nContent-Length: 2\r\nconnection: close\r\n\r\nhi",
  );
});

test("a chunked answer is framed anew, without extensions and trailers", async (t) => {
  const answer = await answerTo(
    t,
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n2;ext=1\r\nhe\r\n3\r\nllo\r\n0\r\nx: y\r\n\r\n",
  );
  assert.equal(answer, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
});

test("a chunked answer is the same however its bytes are cut", async (t) => {
  const answer = await answerTo(t, [
    ..."HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;ext=1\r\nhe\r\n3\r\nllo\r\n0\r\nx: y\r\n\r\n",
  ]);
  assert.equal(unchunked(answer.slice(answer.indexOf("\r\n\r\n") + 4)), "hello");
});

test("a client of HTTP/1.0 gets a chunked answer as plain bytes until the end", async (t) => {
  const answer = await answerTo(
    t,
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    `GET / HTTP/1.0\r\nHost: ${host}\r\nConnection: keep-alive\r\n\r\n`,
  );
  assert.equal(answer, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello");
});

test("an answer that ends with its connection becomes a chunked one", async (t) => {
  const answer = await answerTo(t, ["HTTP/1.0 200 OK\r\n\r\nhel", "lo"]);
  assert.match(answer, /transfer-encoding: chunked/);
  assert.equal(unchunked(answer.slice(answer.indexOf("\r\n\r\n") + 4)), "hello");
});

test("HEAD, 204 and 304 have no body, whatever their headers say", async (t) => {
  const head = `HEAD / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  assert.equal(
    await answerTo(t, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", head),
    "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nconnection: close\r\n\r\n",
  );
  assert.equal(
    await answerTo(t, "HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\nsmuggled!"),
    "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
  );
  assert.equal(
    await answerTo(t, "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nconnection: close\r\n\r\n",
  );
});

test("an answer that cannot be trusted becomes 502", async (t) => {
  for (const bytes of [
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhi",
    "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: b\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 999 OK\r\n\r\n",
    "HTTP/2 200 OK\r\n\r\n",
    "hello\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(30),
    `HTTP/1.1 200 OK\r\nX: ${"y".repeat(70_000)}\r\n\r\n`,
    `HTTP/1.1 200 OK\r\n${"X: y\r\n".repeat(101)}\r\n`,
    "",
    "HTTP/1.1 200 OK\r\nContent-Le",
  ]) {
    const answer = await answerTo(t, bytes);
    const last = answer.slice(answer.lastIndexOf("HTTP/1.1 "));
    assert.equal(statusOf(last), 502, JSON.stringify([bytes.slice(0, 100), answer.slice(0, 200)]));
  }
});

test("interim answers reach those who can understand them", async (t) => {
  const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
  assert.ok((await answerTo(t, `${hints}${ok}`)).startsWith(hints));
  assert.equal(statusOf(await answerTo(t, `${hints}${ok}`, `GET / HTTP/1.0\r\nHost: ${host}\r\n\r\n`)), 200);
  assert.equal(statusOf(await answerTo(t, `HTTP/1.1 100 Continue\r\n\r\n${ok}`)), 200);
});

test("requests that are sent ahead are answered in their order, over one connection to the app", async (t) => {
  const origin = await rawOrigin(t, (soFar, socket) => {
    const path = /GET (\S+) HTTP\/1\.1\r\n(?:[^\r]+\r\n)*\r\n$/.exec(soFar)?.[1] ?? "";
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${path.length}\r\n\r\n${path}`);
  });
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const answer = await exchangeBytes(edge.port, request("/a") + request("/b") + request("/c"), { end: true });
  assert.deepEqual(answer.match(/\/[abc]$|\/[abc](?=HTTP)/g), ["/a", "/b", "/c"]);
  assert.equal(origin.received.length, 1);
});

test("an answer that comes before the whole request ends the connection after it", async (t) => {
  const origin = await rawOrigin(t, (_, socket) => socket.write("HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n"));
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const answer = await exchangeBytes(edge.port, `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 100\r\n\r\nhello`);
  assert.match(answer, /^HTTP\/1\.1 413 Too Large\r\n[\s\S]*connection: close\r\n\r\n$/);
});

test("a request body arrives whole, framed anew, in small and in large pieces", async (t) => {
  const origin = await rawOrigin(
    t,
    (soFar, socket) => /0\r\n\r\n$/.test(soFar) && socket.end("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"),
  );
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const big = "x".repeat(100_000);
  const bytes = `POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5;a=b\r\nhello\r\n${big.length.toString(16)}\r\n${big}\r\n0\r\nX-Trailer: x\r\n\r\n`;
  assert.equal(statusOf(await exchangeBytes(edge.port, bytes)), 200);
  const body = (origin.received[0] ?? "").split("\r\n\r\n").slice(1).join("\r\n\r\n");
  assert.equal(unchunked(body), `hello${big}`);
  assert.doesNotMatch(body, /a=b|Trailer/);
});

test("a request that can be repeated survives an app that closes its idle connections", async (t) => {
  const origin = await rawOrigin(t, (soFar, socket) => {
    // Answers the first request of each connection, and closes on the second: what a keep-alive limit looks like from outside.
    if (soFar.split("GET ").length + soFar.split("POST ").length > 3) socket.destroy();
    else socket.write(ok);
  });
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const answers = await exchangeBytes(edge.port, request() + request() + closing);
  assert.equal(answers.match(/HTTP\/1\.1 200/g)?.length, 3);
});

test("a request survives more closed idle connections of an instance than it has attempts", async (t) => {
  const waiting: net.Socket[] = [];
  const connections = 5;
  const origin = await rawOrigin(t, (soFar, socket, connection) => {
    const requests = soFar.split("\r\n\r\n").length - 1;
    if (connection >= connections) socket.write(ok);
    else if (requests > 1) socket.destroy();
    else if (waiting.push(socket) === connections) for (const one of waiting) one.write(ok);
  });
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const ask = () => exchangeBytes(edge.port, `GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
  for (const answer of await Promise.all(Array.from({ length: connections }, ask))) assert.equal(statusOf(answer), 200);
  // As when an instance was killed, and the edge has not heard of most of its connections yet.
  assert.equal(statusOf(await ask()), 200);
});

test("a request that can be repeated survives the death of the instance that had it, once", async (t) => {
  const dying = () => rawOrigin(t, (_, socket) => socket.destroy());
  const well = await rawOrigin(t, (_, socket) => socket.write(ok));
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo((await dying()).port, well.port)], remove: [] });
  for (let i = 0; i < 8; i++) assert.equal(statusOf(await exchangeBytes(edge.port, closing)), 200);
  const [first, second, third] = [await dying(), await dying(), await dying()];
  await edge.apply({ set: [routeTo(first.port, second.port, third.port)], remove: [] });
  assert.equal(statusOf(await exchangeBytes(edge.port, closing)), 502);
  assert.equal(first.received.length + second.received.length + third.received.length, 2, "it does not go round");
});

test("a request that must not be repeated is not", async (t) => {
  const origin = await rawOrigin(t, (soFar, socket) => (soFar.includes("POST") ? socket.destroy() : socket.write(ok)));
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const post = `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
  const answers = await exchangeBytes(edge.port, request() + post);
  assert.deepEqual(answers.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 200", "HTTP/1.1 502"]);
  assert.equal(origin.received.filter((bytes) => bytes.includes("POST")).length, 1);
});

test("only so many requests wait", async (t) => {
  const edge = await startEdge(t, { holdMs: 20_000, heldPerRoute: 2 });
  await edge.apply({ set: [routeTo()], remove: [] });
  const waiting = [new RawClient(edge.port), new RawClient(edge.port)];
  for (const client of waiting) {
    await once(client.socket, "connect");
    client.write(closing);
  }
  // Answers come in the order in which the loop sees requests; the third one is refused at once.
  const third = await exchangeBytes(edge.port, closing);
  assert.equal(statusOf(third), 503);
});

test("a slow head, a slow body and a slow app each have their end", async (t) => {
  const origin = await rawOrigin(t, () => {});
  const edge = await startEdge(t, { headMs: 1, bodyIdleMs: 1, answerMs: 1, lingerMs: 1 });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const [head, body, app] = await Promise.all([
    exchangeBytes(edge.port, "GET / HTT"),
    exchangeBytes(edge.port, `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 9\r\n\r\nx`),
    exchangeBytes(edge.port, closing),
  ]);
  assert.deepEqual([statusOf(head), statusOf(body), statusOf(app)], [408, 408, 504]);
});

test("a client over the limit of connections is told to come back", async (t) => {
  const edge = await startEdge(t, { clients: 1 });
  const client = new RawClient(edge.port);
  await once(client.socket, "connect");
  const answer = await exchangeBytes(edge.port, "");
  assert.equal(statusOf(answer), 503);
  assert.match(answer, /retry-after/);
  client.socket.destroy();
});

test("a client that leaves takes its request along", async (t) => {
  const left = Promise.withResolvers<void>();
  const origin = await rawOrigin(t, (_, socket) => {
    socket.on("close", () => left.resolve());
    client.socket.resetAndDestroy();
  });
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const client = new RawClient(edge.port);
  client.write(request());
  await left.promise;
});
