import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { exchangeBytes, host, rawOrigin, routeTo, startEdge, statusOf } from "./testing/edge.ts";

/*
 * What must never reach an app, by the classes of docs/trust and the trophies of http-garden: every request is refused with the right status, the
 * connection closes, and the app sees nothing of it, above all not the second request that hides in it.
 */

const hidden = "GET /hidden HTTP/1.1\r\nHost: app.test\r\n\r\n";
const lines = (...all: readonly string[]) => `${all.join("\r\n")}\r\n\r\n`;
const get = (...headers: readonly string[]) => lines("GET / HTTP/1.1", `Host: ${host}`, ...headers);
const post = (...headers: readonly string[]) => lines("POST / HTTP/1.1", `Host: ${host}`, ...headers);
const chunked = (body: string) => post("Transfer-Encoding: chunked") + body;
const target = (path: string) => lines(`GET ${path} HTTP/1.1`, `Host: ${host}`);
const hosted = (value: string) => lines("GET / HTTP/1.1", `Host: ${value}`);

const refused: readonly (readonly [string, number, string])[] = [
  ["Content-Length and Transfer-Encoding", 400, `${post("Content-Length: 5", "Transfer-Encoding: chunked")}0\r\n\r\n`],
  ["Transfer-Encoding and Content-Length", 400, `${post("Transfer-Encoding: chunked", "Content-Length: 5")}0\r\n\r\n`],
  ["Content-Length twice, different", 400, `${post("Content-Length: 5", "Content-Length: 6")}hello!`],
  ["Content-Length twice, equal", 400, `${post("Content-Length: 5", "Content-Length: 5")}hello`],
  ...[
    "5,5",
    "5, 5",
    "+5",
    "-0",
    "-5",
    "0x5",
    "1_0",
    "",
    " ",
    '"5"',
    "5 5",
    "5.0",
    "1e1",
    "05",
    "9007199254740993",
    "٥",
    "5\t5",
    "\t5",
    "5\t",
    "5 \t",
  ].map((length) => [`Content-Length ${JSON.stringify(length)}`, 400, `${post(`Content-Length: ${length}`)}hello`] as const),
  ["a disguised Content_Length", 400, `${post("Content_Length: 5")}hello`],
  ["a disguised Transfer_Encoding", 400, `${post("Transfer_Encoding: chunked")}0\r\n\r\n`],
  ...[
    ",chunked",
    "chunked,",
    "xchunked",
    "chunkedx",
    "chunked, chunked",
    "gzip, chunked",
    "identity",
    "chunked\x0b",
    "\x0bchunked",
    "chunked\x85",
    "chunked\xa0",
    '"chunked"',
    "chunked;x",
    "",
    "chun ked",
    "\x00chunked",
    "\tchunked",
    "chunked\t",
    "chunked \t ",
  ].map((coding) => [`Transfer-Encoding ${JSON.stringify(coding)}`, 400, `${post(`Transfer-Encoding: ${coding}`)}0\r\n\r\n`] as const),
  ["Transfer-Encoding twice", 400, `${post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")}0\r\n\r\n`],
  ["Transfer-Encoding identity, then chunked", 400, `${post("Transfer-Encoding: identity", "Transfer-Encoding: chunked")}0\r\n\r\n`],
  ["Transfer-Encoding folded", 400, `${post("Transfer-Encoding:", " chunked")}0\r\n\r\n`],
  ["Transfer-Encoding in HTTP/1.0", 400, `${lines("POST / HTTP/1.0", `Host: ${host}`, "Transfer-Encoding: chunked")}0\r\n\r\n`],
  ...[
    "0x5\r\nhello\r\n0\r\n\r\n",
    " 5\r\nhello\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "0_5\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    "\r\nhello\r\n0\r\n\r\n",
    "g\r\nhello\r\n0\r\n\r\n",
    "5\nhello\n0\n\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhelloX0\r\n\r\n",
    "5\r\nhello\rX0\r\n\r\n",
    "5\rX\nhello\r\n0\r\n\r\n",
    "5;a\rb\r\nhello\r\n0\r\n\r\n",
    "5;a\nb\r\nhello\r\n0\r\n\r\n",
    "5;\r\nhello\r\n0\r\n\r\n",
    "5;a b\r\nhello\r\n0\r\n\r\n",
    "0;GET / HTTP/1.1\r\nHost: app.test\r\n\r\n",
    "5;\0\r\nhello\r\n0\r\n\r\n",
    `5;${"x".repeat(300)}\r\nhello\r\n0\r\n\r\n`,
    "00000000000000005\r\nhello\r\n0\r\n\r\n",
    "ffffffffffffffff\r\n",
    "100000000\r\n",
    "5\r\nhello\r\n0\r\nno colon\r\n\r\n",
    "5\r\nhello\r\n0\r\n folded: x\r\n\r\n",
    "5\r\nhello\r\n0\r\na: b\n\r\n",
    `5\r\nhello\r\n0\r\nx: ${"y".repeat(9_000)}\r\n\r\n`,
    "5\r\nhello\r\n0\r\n\rX",
    "5\r\nhello\r\n0\r\n: x\r\n\r\n",
    "5\r\nhello\r\n0\r\na : x\r\n\r\n",
    "5\r\nhello\r\n0\r\na\0: x\r\n\r\n",
    "5\r\nhello\r\n0\r\na: x\0\r\n\r\n",
    "5\r\nhello\r\n0\r\na: x\ry\r\n\r\n",
  ].map((body) => [`chunks ${JSON.stringify(body.slice(0, 40))}`, 400, chunked(body)] as const),
  ...[
    "Transfer-Encoding: chunked",
    "Content-Length: 5",
    "Host: other.test",
    "Connection: close",
    "Upgrade: websocket",
    "Expect: 100-continue",
    "TE: trailers",
    "Trailer: X",
    "Content_Length: 5",
    "tRANSFER_eNCODING: chunked",
  ].map((line) => [`the trailer ${JSON.stringify(line)}`, 400, chunked(`5\r\nhello\r\n0\r\nx: y\r\n${line}\r\n\r\n`)] as const),
  ["a bare LF after the request line", 400, `GET / HTTP/1.1\nHost: ${host}\r\n\r\n`],
  ["a bare LF after a header", 400, `GET / HTTP/1.1\r\nHost: ${host}\nX: y\r\n\r\n`],
  ["bare LFs alone", 400, `GET / HTTP/1.1\nHost: ${host}\n\n`],
  ["a bare CR in a header", 400, get("X: a\rb")],
  ["a bare CR that ends a header", 400, `GET / HTTP/1.1\r\nHost: ${host}\rX: y\r\n\r\n`],
  ["NUL in a header value", 400, get("X: a\0b")],
  ["NUL in a header name", 400, get("X\0: a")],
  ["another control in a header value", 400, get("X: a\x01b")],
  ["DEL in a header value", 400, get("X: a\x7fb")],
  ["a folded header", 400, get("X: a", " b")],
  ["a folded header with a tab", 400, get("X: a", "\tb")],
  ["a first header that is folded", 400, lines("GET / HTTP/1.1", " X: y", `Host: ${host}`)],
  ["a blank before the colon", 400, get("X : a")],
  ["a blank before the colon of Content-Length", 400, `${post("Content-Length : 5")}hello`],
  ["a tab before the colon", 400, get("X\t: a")],
  ["an empty header name", 400, get(": a")],
  ["a header without a colon", 400, get("X")],
  ["a header name with a byte above ASCII", 400, get("X\xe9: a")],
  ["a header name in brackets", 400, get("(X): a")],
  ["HTTP/0.9", 400, "GET /\r\n\r\n"],
  ["HTTP/2.0 as text", 505, lines("GET / HTTP/2.0", `Host: ${host}`)],
  ["HTTP/1.2", 505, lines("GET / HTTP/1.2", `Host: ${host}`)],
  ...[
    "HTTP/1.32",
    "HTTP/1.",
    "HTTP/1",
    "http/1.1",
    "HTTP/ 1.1",
    "HTTP/1.1 ",
    "HTTP/01.1",
    "HTP/1.1",
    "HTTP/1,1",
    "HTTP/1.1\t",
    "RTSP/1.0",
  ].map((version) => [`version ${JSON.stringify(version)}`, 400, lines(`GET / ${version}`, `Host: ${host}`)] as const),
  ["a blank before the method", 400, lines(" GET / HTTP/1.1", `Host: ${host}`)],
  ["an empty line before the request", 400, `\r\n${get()}`],
  ["two blanks after the method", 400, lines("GET  / HTTP/1.1", `Host: ${host}`)],
  ["two blanks before the version", 400, lines("GET /  HTTP/1.1", `Host: ${host}`)],
  ["a tab after the method", 400, lines("GET\t/ HTTP/1.1", `Host: ${host}`)],
  ["a method in lower case", 400, lines("get / HTTP/1.1", `Host: ${host}`)],
  ["a method with a bracket", 400, lines("GE(T / HTTP/1.1", `Host: ${host}`)],
  ["an endless method", 400, lines(`${"A".repeat(64)} / HTTP/1.1`, `Host: ${host}`)],
  ["CONNECT", 405, lines("CONNECT app.test:443 HTTP/1.1", `Host: ${host}`)],
  ["TRACE", 405, lines("TRACE / HTTP/1.1", `Host: ${host}`)],
  ["a TLS hello", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"],
  ...[
    "*",
    "x",
    "?x",
    "#",
    "/#x",
    "/a#b",
    "/a\\b",
    "\\",
    "/%2fadmin",
    "/a%2Fb",
    "/a%5cb",
    "/%00",
    "/a%0ab",
    "/a%7f",
    "/%2e%2e/x",
    "/a/%2e/b",
    "/a/..",
    "/./a",
    "/a/../b",
    "/..;x/a",
    "/.%2e/a",
    "/%",
    "/%4",
    "/%zz",
    "/%252e%252e/",
    "/%252f",
    "/%255c",
    "/%2500",
    "/%c0%af",
    "/%c0%ae%c0%ae/",
    "/%ff",
    "/%e0%80%af",
    "/%f8%88%80%80%80",
    "/%ed%a0%80",
    "/\xe9",
    "/a?\xe9",
    "/a?b#c",
    "http://other.test/",
    "https://app.test/",
    "http://app.test@other.test/",
    "http:///",
    "//",
    "ftp://app.test/",
  ]
    .filter((path) => path !== "//")
    .map((path) => [`target ${JSON.stringify(path)}`, 400, target(path)] as const),
  ["a control in the target", 400, target("/a\x01b")],
  ["a target over the limit", 414, target(`/${"a".repeat(9_000)}`)],
  ["no Host", 400, lines("GET / HTTP/1.1", "X: y")],
  ["no headers at all", 400, "GET / HTTP/1.1\r\n\r\n"],
  ["no Host in HTTP/1.0", 400, lines("GET / HTTP/1.0", "X: y")],
  ["Host twice", 400, get("Host: other.test")],
  ["Host twice, equal", 400, get(`Host: ${host}`)],
  ["a disguised second host", 400, get("Ho_st: other.test").replace("Ho_st", "Hos\u0000t")],
  ...[
    "",
    "app.test, other.test",
    "app.test other.test",
    "user@app.test",
    "app.test:",
    "app.test:80x",
    "app.test:99999999",
    "app.test:-1",
    "app.test..",
    ".app.test",
    "app..test",
    "[::1",
    "[::1%eth0]",
    "[x]",
    "::1",
    `${"a".repeat(64)}.test`,
    `${"a.".repeat(130)}test`,
    "app.test/x",
    "app.test?x",
    "app.test#x",
    "app.test\\x",
    "app%2etest",
    "app\xe9.test",
    "app.test:80:80",
    "[::1]x",
  ].map((name) => [`Host ${JSON.stringify(name.slice(0, 40))}`, 400, hosted(name)] as const),
  ["more than a hundred headers", 431, get(...Array.from({ length: 101 }, (_, i) => `X-${i}: y`))],
  ["a head over the limit", 431, get(...Array.from({ length: 40 }, (_, i) => `X-${i}: ${"y".repeat(1_000)}`))],
  ["one endless header", 431, `GET / HTTP/1.1\r\nHost: ${host}\r\nX: ${"y".repeat(40_000)}`],
  ["one endless line", 414, "A".repeat(40_000)],
  ["an unknown expectation", 417, post("Expect: the-unexpected", "Content-Length: 0")],
  ["Connection that names Host", 400, get("Connection: host")],
  ["Connection that names Content-Length", 400, `${post("Connection: close, content-length", "Content-Length: 5")}hello`],
  ["Connection that names Transfer-Encoding", 400, `${post("Connection: transfer-encoding", "Transfer-Encoding: chunked")}0\r\n\r\n`],
  ["a WebSocket without a key", 400, get("Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")],
  [
    "a WebSocket with a bad key",
    400,
    get("Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: x"),
  ],
  [
    "a WebSocket of another version",
    426,
    get("Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 8", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
  ],
  [
    "a WebSocket with a body",
    400,
    `${get(
      "Connection: upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "Content-Length: 5",
    )}hello`,
  ],
  ["two upgrades", 400, get("Connection: upgrade", "Upgrade: websocket", "Upgrade: foo")],
];

test("what could be read in two ways is refused, and nothing of it reaches the app", async (t) => {
  const origin = await rawOrigin(t);
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  for (const [name, status, bytes] of refused)
    await t.test(`${name}: ${status}`, async () => {
      const before = origin.received.join("");
      const answer = await exchangeBytes(edge.port, bytes + hidden);
      assert.equal(statusOf(answer), status, answer.slice(0, 300));
      assert.equal(answer.match(/HTTP\/1\.1 \d{3}/g)?.length, 1, "one answer, then the connection closes");
      assert.match(answer, /connection: close/);
      // A body is checked as it streams, so its head may have been sent on; its end never is.
      const reached = origin.received.join("").slice(before.length);
      assert.doesNotMatch(reached, /hidden/);
      if (reached !== "") assert.ok(!reached.includes("0\r\n\r\n"), "a refused body never looks complete to the app");
    });
});

test("a refusal is the same however the bytes are cut", async (t) => {
  // An app may well answer before it has the whole body; this one does not.
  const origin = await rawOrigin(t, () => {});
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  for (const [, status, bytes] of refused.filter((_, i) => i % 9 === 0 && (refused[i]?.[2].length ?? 0) < 300)) {
    const answer = await exchangeBytes(edge.port, [...(bytes + hidden)]);
    assert.equal(statusOf(answer), status, JSON.stringify(bytes));
  }
  assert.doesNotMatch(origin.received.join(""), /hidden/);
});

async function forwarded(t: TestContext, bytes: string): Promise<{ readonly head: string; readonly answer: string }> {
  const origin = await rawOrigin(
    t,
    (soFar, socket) => soFar.includes("\r\n\r\n") && socket.end("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"),
  );
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const answer = await exchangeBytes(edge.port, bytes);
  return { head: (origin.received[0] ?? "").split("\r\n\r\n")[0] as string, answer };
}

test("headers for one connection stay there", async (t) => {
  const { head } = await forwarded(
    t,
    get(
      "Connection: close, X-Hop",
      "X-Hop: a",
      "Keep-Alive: timeout=5",
      "TE: trailers",
      "Trailer: X",
      "Proxy-Connection: close",
      "Proxy-Authorization: Basic x",
      "Upgrade: h2c",
      "HTTP2-Settings: AAMAAABkAAQAAP__",
    ),
  );
  assert.doesNotMatch(head, /hop|keep-alive|^te:|trailer|proxy|upgrade|http2|connection/im);
});
