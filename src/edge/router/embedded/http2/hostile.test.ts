import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { answered, endStream, exchangeFrames, frame, hostileFrames, post, type } from "../../testing/hostile-frames.ts";
import { exchangeBytes, host, ok, type RawOrigin, rawOrigin, routeTo, startEdge, statusOf } from "../testing/edge.ts";

/*
 * Each ends its stream or its connection, or is refused in an answer, and no app gets a request out of it. Floods and fields that hold other lines are
 * in http2.test.ts.
 */

async function before(t: TestContext): Promise<{ readonly port: number; readonly origin: RawOrigin }> {
  const origin = await rawOrigin(t);
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  return { port: edge.port, origin };
}

test("what is no request of HTTP/2 is none of HTTP/1.1 either", async (t) => {
  const { port, origin } = await before(t);
  for (const [what, sent] of Object.entries(hostileFrames))
    await t.test(what, async () => {
      const seen = origin.received.length;
      const words = await exchangeFrames(port, sent);
      assert.match(words, /reset|goaway|closed|headers/);
      const reached = origin.received.slice(seen).join("");
      // The head of a body may be there already; its end never is.
      assert.ok(reached === "" || !/\r\n0\r\n|hello$/.test(reached), reached);
      if (!sent.some((bytes) => bytes[3] === type.data)) assert.equal(reached, "");
    });
  const next = await exchangeBytes(port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  assert.equal(statusOf(next), 200, "nobody else is the worse for it");
});

test("a body in frames of one byte arrives whole", async (t) => {
  const body = "0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: app.test\r\n\r\n".repeat(20);
  const origin = await rawOrigin(t, (soFar, socket) => soFar.endsWith("\r\n0\r\n\r\n") && socket.write(ok));
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const sent = [...body].map((byte, i) => frame(type.data, i === body.length - 1 ? endStream : 0, 1, byte));
  assert.equal(await exchangeFrames(edge.port, [post(), ...sent]), answered);
  const [head = "", ...rest] = (origin.received[0] ?? "").split("\r\n\r\n");
  assert.match(head, /^POST \/ HTTP\/1\.1\r\n[\s\S]*transfer-encoding: chunked$/);
  assert.equal(unchunked(rest.join("\r\n\r\n")), body);
});

/** The body that chunks hold. */
function unchunked(text: string): string {
  let body = "";
  for (let at = 0; ; ) {
    const end = text.indexOf("\r\n", at);
    const size = Number.parseInt(text.slice(at, end), 16);
    if (!(size > 0)) return body;
    body += text.slice(end + 2, end + 2 + size);
    at = end + 4 + size;
  }
}
