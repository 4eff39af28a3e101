import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type net from "node:net";
import { test } from "node:test";
import { exchangeBytes, host, ok, rawOrigin, routeTo, startEdge, statusOf } from "./testing/edge.ts";

const hidden = `GET /hidden HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const request = (method: string, ...headers: readonly string[]) =>
  `${method} / HTTP/1.1\r\nHost: ${host}\r\n${headers.map((line) => `${line}\r\n`).join("")}\r\n`;

test("a request that stands in a body stays in it", async (t) => {
  const seen: string[] = [];
  const app = http.createServer((incoming, answer) => {
    let body = "";
    incoming.on("data", (bytes: Buffer) => (body += bytes.toString("latin1")));
    incoming.on("end", () => {
      seen.push(`${incoming.method} ${incoming.url} ${body}`);
      answer.end();
    });
  });
  app.listen(0, "127.0.0.1");
  await once(app, "listening");
  t.after(() => app.close());
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo((app.address() as net.AddressInfo).port)], remove: [] });
  for (const method of ["GET", "DELETE", "OPTIONS", "POST"])
    for (const [framing, body] of [
      [`Content-Length: ${hidden.length}`, hidden],
      ["Transfer-Encoding: chunked", `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`],
    ] as const) {
      seen.length = 0;
      const answer = await exchangeBytes(edge.port, request(method, framing, "Connection: close") + body);
      assert.equal(answer.match(/HTTP\/1\.1 \d+/g)?.length, 1);
      assert.deepEqual(seen, [`${method} / ${hidden}`]);
    }
});

const poison = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";
/** Answers behind which an app has more to say than was asked of it. */
const doubtful: readonly (readonly [what: string, method: string, answer: string])[] = [
  ["more than its length", "GET", ok + poison],
  ["more than its chunks", "GET", `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${poison}`],
  ["a body to HEAD", "HEAD", `HTTP/1.1 200 OK\r\ncontent-length: ${poison.length}\r\n\r\n${poison}`],
  ["chunks to HEAD", "HEAD", `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n${poison}`],
  ["a body of 204", "GET", `HTTP/1.1 204 No Content\r\ncontent-length: ${poison.length}\r\n\r\n${poison}`],
  ["a body of 304", "GET", `HTTP/1.1 304 Not Modified\r\ncontent-length: ${poison.length}\r\n\r\n${poison}`],
  ["an empty line behind it", "GET", `${ok}\r\n`],
  ["an interim answer behind it", "GET", `${ok}HTTP/1.1 100 Continue\r\n\r\n`],
];

test("what an app says beyond its answer is nobody's answer, and its connection is not used again", async (t) => {
  for (const [what, method, answer] of doubtful)
    await t.test(what, async (t) => {
      const origin = await rawOrigin(t, (soFar, socket, connection) => {
        if (soFar.endsWith("\r\n\r\n")) socket.write(connection === 0 ? answer : ok);
      });
      const edge = await startEdge(t);
      await edge.apply({ set: [routeTo(origin.port)], remove: [] });
      const first = await exchangeBytes(edge.port, request(method, "Connection: close"));
      assert.doesNotMatch(first, /poison/);
      assert.equal(first.match(/HTTP\/1\.1 \d+/g)?.length, 1);
      for (let i = 0; i < 3; i++) {
        const next = await exchangeBytes(edge.port, request("GET", "Connection: close"));
        assert.equal(statusOf(next), 200);
        assert.ok(next.endsWith("\r\n\r\nok"), next);
      }
      assert.equal(origin.received[0]?.match(/HTTP\/1\.1/g)?.length, 1, "nothing more was sent there");
    });
});

test("what an app says before it is asked anything is nobody's answer", async (t) => {
  const said = Promise.withResolvers<void>();
  const origin = await rawOrigin(t, (soFar, socket, connection) => {
    if (!soFar.endsWith("\r\n\r\n")) return;
    socket.write(ok);
    // Some time later, while the connection is idle.
    if (connection === 0) setImmediate(() => socket.write(poison, () => said.resolve()));
  });
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  assert.equal(statusOf(await exchangeBytes(edge.port, request("GET", "Connection: close"))), 200);
  await said.promise;
  for (let i = 0; i < 3; i++)
    assert.doesNotMatch(await exchangeBytes(edge.port, request("POST", "Content-Length: 0", "Connection: close")), /poison/);
});
