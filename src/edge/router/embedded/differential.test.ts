import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type net from "node:net";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { exchangeBytes, host, routeTo, startEdge } from "./testing/edge.ts";

/** The same requests in every run, so that a failure is one of the change at hand; `DROVER_FUZZ_SEED` and `DROVER_FUZZ_RUNS` look further. */
const seed = Number(process.env["DROVER_FUZZ_SEED"] ?? 1);
const runs = Number(process.env["DROVER_FUZZ_RUNS"] ?? 400);

interface Seen {
  readonly method: string;
  readonly target: string;
  readonly body: string;
}

/** Node's parser has a list of methods and stops at others; HTTP has none, so that the edge goes on. What follows cannot be compared. */
const unknownMethod: Seen = { method: "?", target: "", body: "" };

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
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (error.code === "HPE_INVALID_METHOD") seen.push(unknownMethod);
    socket.destroy();
  });
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

/** Apps get one form of a path: each slash once. */
const canonical = (target: string) => target.replace(/^[^?]*/, (path) => path.replace(/\/{2,}/g, "/"));

/** Bytes that parsers disagree about, put anywhere. */
const spliced = fc.constantFrom(
  "\r",
  "\n",
  "\r\n",
  "\r\n\r\n",
  "\0",
  "\t",
  " ",
  ":",
  ";",
  ",",
  "\x0b",
  "\x0c",
  "\x7f",
  "\x80",
  "\x85",
  "\xa0",
  "\xff",
  "0",
  "5",
  "f",
  "+",
  "-",
  "_",
  "%",
  "#",
  "/",
  "\\",
  "?",
  "@",
  "chunked",
  "Content-Length: 3\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Host: other.test\r\n",
  " HTTP/1.1",
  "GET /x HTTP/1.1\r\nHost: app.test\r\n\r\n",
  "0\r\n\r\n",
  "0\r\nContent-Length: 3\r\n\r\n",
);
const whole = fc.constantFrom(
  `GET /a HTTP/1.1\r\nHost: ${host}\r\nX: y\r\n\r\n`,
  `POST /b?c=d HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 5\r\n\r\nhello`,
  `PUT /e HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  `POST /f HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: ${host}\r\n\r\n5;a=b\r\nhello\r\n3\r\nyou\r\n0\r\nt: u\r\n\r\n`,
  `GET /g HTTP/1.0\r\nHost: ${host}\r\nConnection: keep-alive\r\n\r\n`,
  `POST /h HTTP/1.1\r\nHost: ${host}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi`,
);
/** Requests that were right, with bytes put in, taken out, overwritten and repeated. */
const mutated = fc
  .record({
    requests: fc.array(whole, { minLength: 1, maxLength: 3 }),
    edits: fc.array(
      fc.record({
        kind: fc.constantFrom("insert", "remove", "replace", "repeat"),
        at: fc.nat(10_000),
        length: fc.integer({ min: 1, max: 12 }),
        bytes: spliced,
      }),
      { minLength: 1, maxLength: 3 },
    ),
  })
  .map(({ requests, edits }) =>
    edits.reduce((text, { kind, at, length, bytes }) => {
      const from = at % (text.length + 1);
      const [before, piece, after] = [text.slice(0, from), text.slice(from, from + length), text.slice(from + length)];
      if (kind === "insert") return before + bytes + piece + after;
      if (kind === "remove") return before + after;
      return kind === "replace" ? before + bytes + after : before + piece + piece + after;
    }, requests.join("")),
  );

/**
 * What the edge lets through has to be what Node's parser, an unrelated one, reads in the same bytes: the same requests, in order, from the first
 * on. The edge may stop earlier, because it refuses more; it may never see a request where the other sees none, or another one.
 */
for (const [name, sent] of [
  ["made of doubtful parts", fc.array(request, { minLength: 1, maxLength: 3 }).map((requests) => requests.join(""))],
  ["that were right until bytes of them changed", mutated],
] as const)
  test(`an app behind the edge sees no request that another parser would not see in the same bytes: requests ${name}`, async (t) => {
    const direct = await noting(t);
    const behind = await noting(t);
    const edge = await startEdge(t, { lingerMs: 0, headMs: 1_000, bodyIdleMs: 1_000, holdMs: 0 });
    await edge.apply({ set: [{ ...routeTo(behind.port), listener: { kind: "public", host: "*", path: "/" } }], remove: [] });
    await fc.assert(
      fc.asyncProperty(sent, async (bytes) => {
        direct.seen.length = 0;
        behind.seen.length = 0;
        await Promise.all([exchangeBytes(direct.port, bytes, { end: true }), exchangeBytes(edge.port, bytes, { end: true })]);
        const comparable = behind.seen.includes(unknownMethod) ? behind.seen.slice(0, behind.seen.indexOf(unknownMethod)) : behind.seen;
        const wanted = direct.seen.filter((one) => one !== unknownMethod).map((one) => ({ ...one, target: canonical(one.target) }));
        assert.deepEqual(comparable, wanted.slice(0, comparable.length));
      }),
      { seed, numRuns: runs },
    );
  });
