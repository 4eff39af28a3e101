import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { exchangeBytes, host, ok, RawClient, rawOrigin, routeTo, startEdge, statusOf } from "./testing/edge.ts";

const closing = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
const waking = (holdMs: number, ...ports: readonly number[]) => ({ ...routeTo(...ports), wakes: { holdMs } });

test("requests of a route that wakes are told once, and answered as soon as there is an instance", async (t) => {
  const edge = await startEdge(t, { holdMs: 1 });
  await edge.apply({ set: [waking(60_000)], remove: [] });
  const stop = new AbortController();
  const wanted = edge.wanted(stop.signal)[Symbol.asyncIterator]();
  const first = wanted.next();
  const answers = Promise.all([1, 2, 3].map(() => exchangeBytes(edge.port, closing)));
  assert.equal((await first).value, "app");
  assert.deepEqual(edge.busy(), ["app"], "who waits asks for it");
  const origin = await rawOrigin(t);
  await edge.apply({ set: [waking(60_000, origin.port)], remove: [] });
  assert.deepEqual((await answers).map(statusOf), [200, 200, 200]);
  assert.deepEqual(edge.busy(), []);
  stop.abort();
  assert.equal((await wanted.next()).done, true);
});

test("one that gives up is told to come back", async (t) => {
  const edge = await startEdge(t, { holdMs: 60_000 });
  await edge.apply({ set: [waking(20)], remove: [] });
  const answer = await exchangeBytes(edge.port, closing);
  assert.equal(statusOf(answer), 503);
  assert.match(answer, /retry-after: \d/);
});

test("an instance that takes no connections is not waited for as long as one that has to start", async (t) => {
  const gone = await rawOrigin(t);
  await gone.close();
  const edge = await startEdge(t, { holdMs: 10 });
  await edge.apply({ set: [waking(600_000, gone.port)], remove: [] });
  assert.equal(statusOf(await exchangeBytes(edge.port, closing)), 503);
});

test("a long request and a WebSocket keep a route busy until they end, and other routes are not looked at", async (t) => {
  let answer = () => {};
  const origin = await rawOrigin(t, (soFar, socket) => {
    if (soFar.includes("upgrade")) socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    else answer = () => socket.write(ok);
  });
  const edge = await startEdge(t);
  await edge.apply({ set: [waking(1_000, origin.port)], remove: [] });
  const slow = new RawClient(edge.port);
  slow.write(closing);
  while (origin.received[0] === undefined || origin.received[0] === "") await new Promise(setImmediate);
  assert.deepEqual(edge.busy(), ["app"]);
  answer();
  await slow.closed();
  assert.deepEqual(edge.busy(), []);
  const socket = new RawClient(edge.port);
  await once(socket.socket, "connect");
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
  await socket.until("101");
  assert.deepEqual(edge.busy(), ["app"]);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  assert.deepEqual(edge.busy(), []);
});
