import assert from "node:assert/strict";
import { test } from "node:test";
import zlib from "node:zlib";
import { exchangeBytes, host, RawClient, rawOrigin, route, routeTo, startEdge } from "../testing/edge.ts";
import { bestCoding, planCompression } from "./compression.ts";

const text = "All work and no play makes Jack a dull boy. ".repeat(5_000);
const asks = "accept-encoding: gzip, br\r\n";
const plain = { status: 200, contentLength: 5_000, kept: "Content-Type: text/html; charset=utf-8\r\nContent-Length: 5000\r\n" };

test("the client's preference decides, brotli where it has none, and never what it refuses", () => {
  for (const [header, expected] of [
    ["", null],
    ["gzip", "gzip"],
    ["gzip, deflate, br", "br"],
    ["br;q=0.5, gzip;q=0.8", "gzip"],
    ["br;q=0, *;q=0.1", "gzip"],
    ["*", "br"],
    ["*;q=0", null],
    ["gzip;q=0", null],
    ["gzip;q=1.5", null],
    ["gzip;q=0.2, identity", null],
    ["X-GZIP", "gzip"],
    ["zstd, deflate", null],
    [`${"a,".repeat(1_000)}gzip`, null],
  ] as const)
    assert.equal(bestCoding(header), expected, header);
});

test("only what gains by it and may be changed is compressed", () => {
  for (const [what, more, lines] of [
    ["a small answer", { contentLength: 100 }, plain.kept],
    ["an image", {}, "Content-Type: image/png\r\n"],
    ["no type", {}, ""],
    ["an event stream", { contentLength: -1 }, "Content-Type: text/event-stream\r\n"],
    ["a compressed answer", {}, `${plain.kept}Content-Encoding: gzip\r\n`],
    ["one that says so", {}, `${plain.kept}Cache-Control: public, No-Transform\r\n`],
    ["one with a digest", {}, `${plain.kept}Content-Digest: sha-256=:x:\r\n`],
    ["a part", { status: 206 }, plain.kept],
    ["no news", { status: 304 }, plain.kept],
  ] as const)
    assert.equal(planCompression(asks, { ...plain, ...more, kept: lines }), null, what);
});

test("a compressed answer says so to clients and caches, and its validator becomes a weak one", () => {
  const kept = `${plain.kept}ETag: "a"\r\nAccept-Ranges: bytes\r\nVary: Cookie\r\n`;
  assert.deepEqual(planCompression(asks, { ...plain, kept }), {
    coding: "br",
    lines: 'Content-Type: text/html; charset=utf-8\r\nETag: W/"a"\r\nVary: Cookie\r\nvary: accept-encoding\r\ncontent-encoding: br\r\n',
  });
  assert.deepEqual(
    planCompression("", plain),
    { coding: null, lines: `${plain.kept}vary: accept-encoding\r\n` },
    "caches have to know either way",
  );
  assert.match(
    planCompression(asks, { ...plain, kept: `${plain.kept}ETag: W/"a"\r\nVary: *\r\n` })?.lines ?? "",
    /ETag: W\/"a"\r\nVary: \*\r\ncontent-enc/,
  );
});

/** The body of a chunked answer, unframed. */
function unframed(answer: string): Buffer {
  const pieces: Buffer[] = [];
  let at = answer.indexOf("\r\n\r\n") + 4;
  for (;;) {
    const end = answer.indexOf("\r\n", at);
    const size = Number.parseInt(answer.slice(at, end), 16);
    if (size === 0) {
      assert.equal(answer.slice(end), "\r\n\r\n", "nothing follows the last chunk");
      return Buffer.concat(pieces);
    }
    pieces.push(Buffer.from(answer.slice(end + 2, end + 2 + size), "latin1"));
    at = end + 4 + size;
  }
}

const framings: readonly (readonly [string, string])[] = [
  ["with a length", `content-length: ${text.length}\r\n\r\n${text}`],
  ["in chunks", `transfer-encoding: chunked\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`],
  ["until the connection closes", `connection: close\r\n\r\n${text}`],
];

for (const [name, rest] of framings)
  test(`an answer that comes ${name} arrives whole in every coding`, async (t) => {
    const origin = await rawOrigin(t, (soFar, socket) => {
      if (!soFar.endsWith("\r\n\r\n")) return;
      socket.write(`HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n${rest}`);
      if (rest.startsWith("connection")) socket.end();
    });
    const edge = await startEdge(t);
    await edge.apply({ set: [routeTo(origin.port)], remove: [] });
    const get = (coding: string, version = "1.1") =>
      `GET / HTTP/${version}\r\nHost: ${host}\r\nAccept-Encoding: ${coding}\r\nConnection: close\r\n\r\n`;
    const br = await exchangeBytes(edge.port, get("br"));
    assert.match(br, /\r\ncontent-encoding: br\r\n/);
    assert.equal(zlib.brotliDecompressSync(unframed(br)).toString(), text);
    assert.ok(br.length < text.length / 20);
    const gzip = await exchangeBytes(edge.port, get("gzip"));
    assert.equal(zlib.gunzipSync(unframed(gzip)).toString(), text);
    assert.ok((await exchangeBytes(edge.port, get("identity"))).includes(text.slice(0, 1_000)));
    assert.doesNotMatch(await exchangeBytes(edge.port, get("gzip", "1.0")), /content-encoding/, "HTTP/1.0 knows no chunks");
    assert.ok(edge.traffic()[0]?.requests === 4);
  });

test("an answer that is made while it is sent is not held back, and the connection serves the next request", async (t) => {
  let go = () => {};
  const origin = await rawOrigin(t, (soFar, socket) => {
    if (!soFar.endsWith("\r\n\r\n")) return;
    socket.write("HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n6\r\nfirst\n\r\n");
    go = () => socket.write("5\r\nlast\n\r\n0\r\n\r\n");
  });
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const client = new RawClient(edge.port);
  for (let turn = 0; turn < 2; turn++) {
    client.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nAccept-Encoding: gzip\r\n\r\n`);
    await client.until("\r\n\r\n");
    // A flushed block of gzip ends in an empty one; nothing more comes from the app until then.
    await client.until("\x00\x00\xff\xff\r\n");
    go();
    await client.until("\r\n0\r\n\r\n");
  }
  client.socket.destroy();
});

test("a route may leave answers as they are, and a client that goes away in the middle costs nothing", async (t) => {
  const origin = await rawOrigin(t, (soFar, socket) => {
    if (soFar.endsWith("\r\n\r\n")) socket.write(`HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 50000000\r\n\r\n${text}`);
  });
  const edge = await startEdge(t);
  const targets = routeTo(origin.port).targets;
  await edge.apply({ set: [route(targets, { policy: { compress: false } })], remove: [] });
  const get = `GET / HTTP/1.1\r\nHost: ${host}\r\nAccept-Encoding: gzip\r\n\r\n`;
  const off = new RawClient(edge.port);
  off.write(get);
  assert.match(await off.until("\r\n\r\n"), /content-length: 50000000/);
  off.socket.resetAndDestroy();
  await edge.apply({ set: [route(targets)], remove: [] });
  const client = new RawClient(edge.port);
  client.write(get);
  assert.match(await client.until("\r\n\r\n"), /content-encoding: gzip/);
  client.socket.resetAndDestroy();
  await edge.apply({ set: [], remove: ["app" as never] });
  for await (const { open } of edge.draining(t.signal)) if (open === 0) break;
});
