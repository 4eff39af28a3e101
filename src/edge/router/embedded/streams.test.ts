import assert from "node:assert/strict";
import { test } from "node:test";
import { exchangeBytes, host, rawOrigin, routeTo, startEdge, statusOf } from "./testing/edge.ts";

const handshake = `GET /chat HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

test("bytes sent with the handshake reach the app after it, or nobody", async (t) => {
  const accepting = await rawOrigin(t, (soFar, socket) => {
    if (soFar.endsWith("\r\n\r\n"))
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nwelcome");
    else socket.end(soFar.slice(soFar.indexOf("\r\n\r\n") + 4));
  });
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(accepting.port)], remove: [] });
  assert.match(await exchangeBytes(edge.port, `${handshake}frames`), /^HTTP\/1\.1 101 [\s\S]*\r\n\r\nwelcomeframes$/);

  const refusing = await rawOrigin(t, (_, socket) => socket.write("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"));
  await edge.apply({ set: [routeTo(refusing.port)], remove: [] });
  const answer = await exchangeBytes(edge.port, `${handshake}GET /hidden HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  assert.equal(answer.match(/HTTP\/1\.1 \d+/g)?.length, 1);
  assert.equal(statusOf(answer), 403);
  assert.doesNotMatch(refusing.received.join(""), /hidden/);
});

test("a switch to another protocol than the one asked for is no switch", async (t) => {
  const origin = await rawOrigin(t, (_, socket) =>
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n"),
  );
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  assert.equal(statusOf(await exchangeBytes(edge.port, handshake)), 502);
});
