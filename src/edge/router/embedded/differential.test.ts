import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type net from "node:net";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { exchangeBytes, host, routeTo, startEdge } from "./testing/edge.ts";

/** Enough to meet every pair of mutations many times over the runs of a week, few enough for every run. */
const runs = 400;

interface Seen {
  readonly method: string;
  readonly target: string;
  readonly body: string;
}

/** A server of Node's own parser that notes each request that it believes to be whole. */
async function noting(t: TestContext): Promise<{ readonly port: number; readonly seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = http.createServer({ keepAliveTimeout: 60_000 }, (incoming, answer) => {
    let body = "";
    incoming.on("data", (bytes: Buffer) => (body += bytes.toString("latin1")));
    incoming.on("error", () => {});
    incoming.on("end", () => {
      seen.push({ method: incoming.method ?? "", target: incoming.url ?? "", body });
      answer.end("ok");
    });
  });
  server.on("clientError", (_, socket) => socket.destroy());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as net.AddressInfo).port, seen };
}

const eol = fc.oneof(
  { weight: 30, arbitrary: fc.constant("\r\n") },
  { weight: 1, arbitrary: fc.constantFrom("\n", "\r", "\r\r\n", "\r\n\r\n", "\0") },
);
const lengths = fc.constantFrom("5", "0", "10", "+5", "05", "5,5", " 5 ", "", "5\t", "0x5", "-1");
const codings = fc.constantFrom(
  "chunked",
  "Chunked",
  "gzip, chunked",
  "chunked, identity",
  "xchunked",
  " chunked ",
  "chunked\x0b",
  "identity",
);
const header = fc.oneof(
  { weight: 4, arbitrary: lengths.map((value) => `Content-Length: ${value}`) },
  { weight: 4, arbitrary: codings.map((value) => `Transfer-Encoding: ${value}`) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "X: y",
      "X:",
      "X : y",
      ": y",
      "X",
      " folded",
      "Content_Length: 5",
      "Content-Length\t: 5",
      "Connection: close",
      "Connection: keep-alive",
      "X: \xff",
      "X: a\x01",
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom("Expect: 100-continue", "Connection: content-length", "Trailer: X", "Host: other.test") },
);
const startLine = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom("POST /a HTTP/1.1", "GET /b HTTP/1.1", "PUT /c?d=e HTTP/1.1") },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "POST /a HTTP/1.0",
      "GET /b HTTP/1.2",
      "GET  /b HTTP/1.1",
      "get /b HTTP/1.1",
      "GET /b",
      "GET /b HTTP/1.1 ",
      " GET /b HTTP/1.1",
    ),
  },
);
const body = fc.oneof(
  fc.constantFrom(
    "",
    "hello",
    "helloworld",
    "5\r\nhello\r\n0\r\n\r\n",
    "5;x=y\r\nhello\r\n0\r\na: b\r\n\r\n",
    "5\nhello\n0\n\n",
    "05\r\nhello\r\n00\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "5\r\nhelloXX0\r\n\r\n",
    "0\r\n\r\n",
    "0\r\n\r\nGET /x HTTP/1.1\r\nHost: app.test\r\n\r\n",
  ),
  fc.array(fc.constantFrom("5", "0", "\r\n", "\n", "\r", "hello", ";", " ", "a: b", "f"), { maxLength: 10 }).map((parts) => parts.join("")),
);
const request = fc
  .record({ startLine, headers: fc.array(header, { maxLength: 3 }), eols: fc.array(eol, { minLength: 6, maxLength: 6 }), body })
  .map(({ startLine, headers, eols, body }) => {
    const lines = [startLine, `Host: ${host}`, ...headers];
    return `${lines.map((line, i) => line + (eols[i] ?? "\r\n")).join("")}\r\n${body}`;
  });

/**
 * What the edge lets through has to be what Node's parser, an unrelated one, reads in the same bytes: the same requests, in order, from the first
 * on. The edge may stop earlier, because it refuses more; it may never see a request where the other sees none, or another one.
 */
test("an app behind the edge sees no request that another parser would not see in the same bytes", async (t) => {
  const direct = await noting(t);
  const behind = await noting(t);
  const edge = await startEdge(t, { lingerMs: 0, headMs: 1_000, bodyIdleMs: 1_000, holdMs: 0 });
  await edge.apply({ set: [routeTo(behind.port)], remove: [] });
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 3 }), async (requests) => {
      const bytes = requests.join("");
      direct.seen.length = 0;
      behind.seen.length = 0;
      await Promise.all([exchangeBytes(direct.port, bytes, { end: true }), exchangeBytes(edge.port, bytes, { end: true })]);
      assert.deepEqual(behind.seen, direct.seen.slice(0, behind.seen.length));
    }),
    { numRuns: runs },
  );
});
