import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { hidden, hostileRequests } from "../testing/hostile-requests.ts";
import { exchangeBytes, host, rawOrigin, routeTo, startEdge, statusOf } from "./testing/edge.ts";

/*
 * What must never reach an app, by the classes of docs/trust and the trophies of http-garden: every request is refused with the right status, the
 * connection closes, and the app sees nothing of it, above all not the second request that hides in it.
 */

const lines = (...all: readonly string[]) => `${all.join("\r\n")}\r\n\r\n`;
const get = (...headers: readonly string[]) => lines("GET / HTTP/1.1", `Host: ${host}`, ...headers);

test("what could be read in two ways is refused, and nothing of it reaches the app", async (t) => {
  const origin = await rawOrigin(t);
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  for (const [name, status, bytes] of hostileRequests)
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
  for (const [, status, bytes] of hostileRequests.filter(([, , bytes], i) => i % 9 === 0 && bytes.length < 300)) {
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
  // What is left is the edge's own word that it takes trailers.
  assert.doesNotMatch(head.replace("te: trailers\r\nconnection: te", ""), /hop|keep-alive|^te:|trailer|proxy|upgrade|http2|connection/im);
});
