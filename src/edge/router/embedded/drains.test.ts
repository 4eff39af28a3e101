import assert from "node:assert/strict";
import { test } from "node:test";
import type { Route } from "#model/routing-table.ts";
import { exchangeBytes, host, ok, RawClient, type RawOrigin, rawOrigin, route, routeTo, startEdge, statusOf } from "./testing/edge.ts";

const request = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const closing = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
const instanceOf = (origin: RawOrigin) => `space/app/web.1.${origin.port}`;

test("an instance that leaves gets nothing new, not even on connections that are open, and finishes what it has", async (t) => {
  const asked = Promise.withResolvers<() => void>();
  const old = await rawOrigin(t, (soFar, socket) => {
    const finish = () => socket.write(ok);
    // Its second request is the slow one.
    if (soFar.split("GET ").length === 3) asked.resolve(finish);
    else finish();
  });
  const fresh = await rawOrigin(t);
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(old.port)], remove: [] });
  const idle = new RawClient(edge.port);
  idle.write(request);
  await idle.until("ok");
  const busy = new RawClient(edge.port);
  busy.write(request);
  const finish = await asked.promise;

  const drains = edge.draining(t.signal)[Symbol.asyncIterator]();
  await edge.apply({ set: [routeTo(fresh.port)], remove: [] });
  assert.deepEqual((await drains.next()).value, { instance: instanceOf(old), open: 1 });
  const seen = old.received.join("");
  idle.write(request);
  await idle.until("ok");
  assert.equal(old.received.join(""), seen, "the old instance saw nothing more");
  assert.equal(fresh.received.length, 1);
  finish();
  await busy.until("ok");
  assert.deepEqual((await drains.next()).value, { instance: instanceOf(old), open: 0 });
  busy.write(request);
  await busy.until("ok");
  assert.equal(old.received.join(""), seen);
  for (const client of [idle, busy]) client.socket.destroy();
});

test("an instance with nothing open is told as drained at once, also to who asks later", async (t) => {
  const origin = await rawOrigin(t);
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const early = edge.draining(t.signal)[Symbol.asyncIterator]();
  const first = early.next();
  await edge.apply({ set: [], remove: [routeTo(origin.port).id] });
  const wanted = { instance: instanceOf(origin), open: 0 };
  assert.deepEqual((await first).value, wanted);
  assert.deepEqual((await edge.draining(t.signal)[Symbol.asyncIterator]().next()).value, wanted);
});

test("an instance that only moves between routes, or comes back, does not drain", async (t) => {
  const origin = await rawOrigin(t);
  const other = await rawOrigin(t);
  const edge = await startEdge(t);
  const second: Route = route(routeTo(origin.port).targets, { id: "second", listener: { kind: "public", host: "second.test", path: "/" } });
  await edge.apply({ set: [routeTo(origin.port, other.port)], remove: [] });
  await edge.apply({ set: [second], remove: [routeTo(origin.port).id] });
  await edge.apply({ set: [routeTo(other.port)], remove: ["second" as Route["id"]] });
  const drains = edge.draining(t.signal)[Symbol.asyncIterator]();
  // `other` left and came back, `origin` moved and then left: only that one is told.
  assert.deepEqual((await drains.next()).value, { instance: instanceOf(origin), open: 0 });
  await edge.apply({ set: [], remove: [routeTo(other.port).id] });
  assert.deepEqual((await drains.next()).value, { instance: instanceOf(other), open: 0 });
});

test("a router that closes finishes its requests and takes no new ones", async (t) => {
  const asked = Promise.withResolvers<() => void>();
  const origin = await rawOrigin(t, (_, socket) => asked.resolve(() => socket.write(ok)));
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const idle = new RawClient(edge.port);
  const { port } = edge;
  const answer = exchangeBytes(port, request);
  const finish = await asked.promise;
  const closed = edge.close(60_000);
  await idle.closed();
  await assert.rejects(exchangeBytes(port, closing), { code: "ECONNREFUSED" });
  finish();
  assert.equal(statusOf(await answer), 200);
  await closed;
});
