import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { freePorts } from "#host/testing/free-ports.ts";
import type { Route } from "#model/routing-table.ts";
import { exchangeBytes, host, ok, RawClient, type RawOrigin, rawOrigin, route, routeTo, statusOf } from "../embedded/testing/edge.ts";
import type { Check } from "./contract.ts";
import type { RouterKind } from "./routers.ts";

const request = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const slow = `GET /slow HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const closing = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
const instanceOf = (origin: RawOrigin) => `space/app/web.1.${origin.port}`;

/** Resolves once nobody takes connections at the port: a router that closes lets go of it as soon as it can. */
async function refused(port: number): Promise<void> {
  for (;;) {
    const socket = net.connect(port, "127.0.0.1");
    const isOpen = await Promise.race([once(socket, "connect").then(() => true), once(socket, "error").then(() => false)]).catch(
      () => false,
    );
    socket.destroy();
    if (!isOpen) return;
  }
}

/** Instances that leave, and a router that closes, at any router. */
export function drainsContract(kind: RouterKind, check: Check): void {
  check("an instance that leaves gets nothing new, not even on connections that are open, and finishes what it has", async (t) => {
    const asked = Promise.withResolvers<() => void>();
    const old = await rawOrigin(t, (soFar, socket) => {
      const finish = () => socket.write(ok);
      if (soFar.includes("/slow")) asked.resolve(finish);
      else finish();
    });
    const fresh = await rawOrigin(t);
    const edge = await kind.start(t);
    await edge.apply({ set: [routeTo(old.port)], remove: [] });
    const idle = new RawClient(edge.port);
    idle.write(request);
    await idle.until("ok");
    const busy = new RawClient(edge.port);
    busy.write(slow);
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

  check("an instance with nothing open is told as drained at once, also to who asks later", async (t) => {
    const origin = await rawOrigin(t);
    const edge = await kind.start(t);
    await edge.apply({ set: [routeTo(origin.port)], remove: [] });
    const early = edge.draining(t.signal)[Symbol.asyncIterator]();
    const first = early.next();
    await edge.apply({ set: [], remove: [routeTo(origin.port).id] });
    const wanted = { instance: instanceOf(origin), open: 0 };
    assert.deepEqual((await first).value, wanted);
    assert.deepEqual((await edge.draining(t.signal)[Symbol.asyncIterator]().next()).value, wanted);
  });

  check("an instance that only moves between routes, or comes back, does not drain", async (t) => {
    const origin = await rawOrigin(t);
    const other = await rawOrigin(t);
    const edge = await kind.start(t);
    const second: Route = route(routeTo(origin.port).targets, {
      id: "second",
      listener: { kind: "public", host: "second.test", path: "/" },
    });
    await edge.apply({ set: [routeTo(origin.port, other.port)], remove: [] });
    await edge.apply({ set: [second], remove: [routeTo(origin.port).id] });
    await edge.apply({ set: [routeTo(other.port)], remove: ["second" as Route["id"]] });
    const drains = edge.draining(t.signal)[Symbol.asyncIterator]();
    // `other` left and came back, `origin` moved and then left: only that one is told.
    assert.deepEqual((await drains.next()).value, { instance: instanceOf(origin), open: 0 });
    await edge.apply({ set: [], remove: [routeTo(other.port).id] });
    assert.deepEqual((await drains.next()).value, { instance: instanceOf(other), open: 0 });
  });

  check("one that is closed to what comes from outside finishes what is open there, goes on inside, and can be opened again", async (t) => {
    const asked = Promise.withResolvers<() => void>();
    const origin = await rawOrigin(t, (soFar, socket) => {
      const finish = () => socket.write(ok);
      if (soFar.lastIndexOf("/slow") > soFar.lastIndexOf("GET / ")) asked.resolve(finish);
      else finish();
    });
    const { targets } = routeTo(origin.port);
    const [inside = 0, outside = 0] = await freePorts(2);
    const within = route(targets, { id: "within", listener: { kind: "service", port: inside, protocol: "http" } });
    const beside = route(targets, { id: "beside", listener: { kind: "port", port: outside, protocol: "tcp" } });
    const edge = await kind.start(t, { tls: true });
    await edge.apply({ set: [routeTo(origin.port), within, beside], remove: [] });
    const { port, tlsPort } = edge;
    const idle = new RawClient(port);
    idle.write(request);
    await idle.until("ok");
    const busy = exchangeBytes(port, slow.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
    const finish = await asked.promise;

    await edge.closePublic(60_000);
    for (const one of [port, tlsPort, outside]) await refused(one);
    assert.equal(statusOf(await exchangeBytes(inside, closing)), 200);
    // Who was connected is answered once more.
    idle.write(request);
    await idle.until("ok");
    await idle.closed();
    finish();
    assert.equal(statusOf(await busy), 200);
    await edge.closePublic(60_000);

    await edge.open("127.0.0.1", port);
    for (const one of [port, outside]) {
      const client = new RawClient(one);
      client.write(request);
      await client.until("ok");
      client.socket.destroy();
    }
  });

  check("what came from outside is cut when its time is over, and what came from inside goes on", async (t) => {
    let asked = 0;
    const both = Promise.withResolvers<void>();
    const finish: (() => void)[] = [];
    const origin = await rawOrigin(t, (_, socket) => {
      finish.push(() => socket.write(ok));
      if (++asked === 2) both.resolve();
    });
    const { targets } = routeTo(origin.port);
    const [inside = 0] = await freePorts(1);
    const within = route(targets, { id: "within", listener: { kind: "service", port: inside, protocol: "http" } });
    const edge = await kind.start(t);
    await edge.apply({ set: [routeTo(origin.port), within], remove: [] });
    const [outer, inner] = [exchangeBytes(edge.port, closing), exchangeBytes(inside, closing)];
    await both.promise;
    await edge.closePublic(1);
    assert.notEqual(statusOf(await outer.catch(() => "")), 200);
    for (const one of finish) one();
    assert.equal(statusOf(await inner), 200);
  });

  check("a router that closes finishes its requests and takes no new ones", async (t) => {
    const asked = Promise.withResolvers<() => void>();
    const origin = await rawOrigin(t, (_, socket) => asked.resolve(() => socket.write(ok)));
    const edge = await kind.start(t);
    await edge.apply({ set: [routeTo(origin.port)], remove: [] });
    const idle = new RawClient(edge.port);
    const { port } = edge;
    const answer = exchangeBytes(port, closing);
    const finish = await asked.promise;
    const closed = edge.close(60_000);
    await refused(port);
    finish();
    assert.equal(statusOf(await answer), 200);
    await closed;
    await idle.closed();
  });
}
