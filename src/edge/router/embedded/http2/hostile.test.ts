import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { exchangeFrames, hostileFrames, type } from "../../testing/hostile-frames.ts";
import { exchangeBytes, host, type RawOrigin, rawOrigin, routeTo, startEdge, statusOf } from "../testing/edge.ts";

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
