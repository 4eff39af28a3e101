import assert from "node:assert/strict";
import dgram from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { freePort } from "#host/testing/free-ports.ts";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { InstanceId } from "#model/names.ts";
import type { RoutePolicy } from "#model/routing-table.ts";
import { endpoint, exchangeBytes, host, RawClient, rawOrigin, route, startEdge, statusOf } from "../testing/edge.ts";
import { proxyHeader, readProxyHeader } from "./proxy-protocol.ts";

const portRoute = (port: number, protocol: "tcp" | "udp", ports: readonly number[], policy?: RoutePolicy) =>
  route([{ release: 1, weight: 1, endpoints: ports.map((one) => endpoint(one)) }], {
    id: `${protocol} ${port}`,
    listener: { kind: "port", port, protocol },
    ...(policy === undefined ? {} : { policy }),
  });

/** A UDP app that answers each datagram with its name and what came. */
async function echo(t: TestContext, name: string): Promise<{ readonly port: number; readonly received: Buffer[]; stop(): void }> {
  const socket = dgram.createSocket("udp4");
  const received: Buffer[] = [];
  socket.on("message", (bytes, from) => {
    received.push(bytes);
    socket.send(Buffer.concat([Buffer.from(name), bytes]), from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  let isOpen = true;
  const stop = () => {
    if (isOpen) socket.close();
    isOpen = false;
  };
  t.after(stop);
  return { port: socket.address().port, received, stop };
}

async function udpClient(t: TestContext, port: number) {
  const socket = dgram.createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  t.after(() => socket.close());
  /** The first answer to a datagram that is sent until one comes: any may get lost. */
  const ask = async (text: string): Promise<string> => {
    const answered = once(socket, "message");
    const timer = setInterval(() => socket.send(text, port, "127.0.0.1"), 50);
    socket.send(text, port, "127.0.0.1");
    const [bytes] = (await answered) as [Buffer];
    clearInterval(timer);
    return bytes.toString("latin1");
  };
  return { ask, own: socket.address().port };
}

test("one port number is a route for tcp and another one for udp", async (t) => {
  const port = await freePort();
  const tcp = await rawOrigin(t, (soFar, socket) => socket.write(`tcp ${soFar}`));
  const udp = await echo(t, "udp ");
  const edge = await startEdge(t);
  await edge.apply({ set: [portRoute(port, "tcp", [tcp.port]), portRoute(port, "udp", [udp.port])], remove: [] });
  const client = new RawClient(port);
  client.write("hello");
  assert.equal(await client.until("hello"), "tcp hello");
  client.socket.destroy();
  assert.equal(await (await udpClient(t, port)).ask("hello"), "udp hello");
  await edge.apply({ set: [], remove: [`udp ${port}` as never] });
  const again = new RawClient(port);
  again.write("x");
  assert.equal(await again.until("x"), "tcp x");
  again.socket.destroy();
  assert.deepEqual(edge.problems(), []);
});

test("an instance learns by the PROXY protocol who its client is, and the client's own header says so to the edge", async (t) => {
  const port = await freePort();
  const origin = await rawOrigin(t, (soFar, socket) => soFar.endsWith("end") && socket.write("ok"));
  const edge = await startEdge(t);
  await edge.apply({ set: [portRoute(port, "tcp", [origin.port], { proxyProtocol: { from: true, to: true } })], remove: [] });
  const client = new RawClient(port);
  for (const piece of ["PROXY TCP4 198.51.100.9", " 192.0.2.1 4711 443\r", "\nthe e", "nd"]) {
    client.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await client.until("ok");
  client.socket.destroy();
  const seen = Buffer.from(origin.received[0] ?? "", "latin1");
  const read = readProxyHeader(seen);
  assert.ok(read.kind === "header");
  assert.deepEqual(read.source, { address: "198.51.100.9", port: 4711 });
  assert.equal(seen.toString("latin1", read.bytes), "the end");
  for (const wrong of ["hello", "PROXY TCP4 x\r\nhello", "\r\n\r\n\0\r\nQUIT\n\x99\x11\0\0"])
    assert.equal(await exchangeBytes(port, wrong), "", "who says nothing of itself, or nothing right, is cut");
  assert.equal(origin.received.length, 1);
});

test("a trusted proxy may say who the client is in front of HTTP; from anybody else that is no request", async (t) => {
  const origin = await rawOrigin(t);
  const get = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  const header = proxyHeader("tcp", { address: "2001:db8::9", port: 5 }, { address: "::1", port: 80 }).toString("latin1");
  const trusting = await startEdge(t, {}, { trustedProxies: ["127.0.0.1"] });
  const wary = await startEdge(t);
  for (const edge of [trusting, wary])
    await edge.apply({ set: [route([{ release: 1, weight: 1, endpoints: [endpoint(origin.port)] }])], remove: [] });
  assert.equal(statusOf(await exchangeBytes(trusting.port, header + get)), 200);
  assert.match(origin.received.join(""), /\r\nx-forwarded-for: 2001:db8::9\r\n/);
  assert.equal(statusOf(await exchangeBytes(trusting.port, get)), 200, "it need not");
  assert.equal(statusOf(await exchangeBytes(wary.port, header + get)), 400);
  assert.equal(statusOf(await exchangeBytes(wary.port, `PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n${get}`)), 400);
});

test("a UDP client stays with its instance while that drains, and goes to another one when it stops", async (t) => {
  const port = await freePort();
  const [a, b] = [await echo(t, "a"), await echo(t, "b")];
  const edge = await startEdge(t);
  await edge.apply({ set: [portRoute(port, "udp", [a.port, b.port])], remove: [] });
  const { ask } = await udpClient(t, port);
  const first = (await ask("1"))[0];
  for (let i = 0; i < 10; i++) assert.equal((await ask(String(i)))[0], first);
  const [leaves, stays, other] = first === "a" ? [a, b, "b"] : [b, a, "a"];
  await edge.apply({ set: [portRoute(port, "udp", [stays.port])], remove: [] });
  assert.equal((await ask("x"))[0], first, "what it had begun there goes on");
  const late = await udpClient(t, port);
  assert.equal((await late.ask("y"))[0], other, "who comes now goes elsewhere");
  leaves.stop();
  assert.equal((await ask("z"))[0], other);
  const [traffic] = edge.traffic();
  assert.ok(traffic !== undefined && traffic.requests === 1 && traffic.bytesOut > 0);
});

test("a UDP instance learns who its client is with every datagram", async (t) => {
  const port = await freePort();
  const app = await echo(t, "");
  const edge = await startEdge(t);
  await edge.apply({ set: [portRoute(port, "udp", [app.port], { proxyProtocol: { to: true } })], remove: [] });
  const { ask, own } = await udpClient(t, port);
  await ask("hello");
  const [bytes] = app.received;
  assert.ok(bytes !== undefined);
  assert.deepEqual(readProxyHeader(bytes), { kind: "header", source: { address: "127.0.0.1", port: own }, bytes: bytes.length - 5 });
});

test("more UDP clients than a port takes are dropped, quiet ones make room, and counts of instances end at zero", async (t) => {
  const port = await freePort();
  const app = await echo(t, "");
  const edge = await startEdge(t, { udpSessions: 2, udpIdleMs: 100 });
  await edge.apply({ set: [portRoute(port, "udp", [app.port])], remove: [] });
  const clients = [await udpClient(t, port), await udpClient(t, port), await udpClient(t, port)];
  await clients[0]?.ask("1");
  await clients[1]?.ask("2");
  assert.equal(await clients[2]?.ask("3"), "3", "as soon as one of the others is quiet for long enough");
  await edge.apply({ set: [], remove: [`udp ${port}` as never] });
  for await (const { instance, open } of edge.draining(t.signal)) {
    assert.equal(instance, `space/app/web.1.${app.port}` as InstanceId);
    if (open === 0) break;
  }
});

test("a UDP port that one edge leaves to another loses no datagram, and answers that are late come back through the old one", {
  timeout: 60_000,
}, async (t) => {
  const port = await freePort();
  const late = Promise.withResolvers<() => void>();
  const app = dgram.createSocket("udp4").bind(0, "127.0.0.1");
  await once(app, "listening");
  t.after(() => app.close());
  app.on("message", (bytes, { port: from, address }) => {
    const answer = () => app.send(bytes, from, address);
    if (bytes.toString() === "late") late.resolve(answer);
    else answer();
  });
  const routes = { set: [portRoute(port, "udp", [app.address().port])], remove: [] };
  const clock = new VirtualClock();
  const [old, next] = [await startEdge(t, {}, { clock }), await startEdge(t)];
  await old.apply(routes);

  const clients = Array.from({ length: 30 }, () => dgram.createSocket("udp4"));
  t.after(() => clients.forEach((client) => void client.close()));
  let answered = 0;
  for (const client of clients) client.on("message", () => answered++);
  const reached = async (count: number) => {
    while (answered < count) await nextTurn(undefined, { signal: t.signal });
  };
  let isOver = false;
  let sent = 0;
  // Few at a time: what is lost is not lost because a buffer was full.
  const asking = (async () => {
    while (!isOver || answered < sent) {
      if (!isOver && sent - answered < 30) clients[sent++ % clients.length]?.send("x", port, "127.0.0.1");
      await nextTurn(undefined, { signal: t.signal });
    }
  })();
  const waiting = dgram.createSocket("udp4");
  t.after(() => waiting.close());
  const lateAnswer = once(waiting, "message");
  waiting.send("late", port, "127.0.0.1");
  const answerLate = await late.promise;
  await reached(200);
  await next.apply(routes);
  await reached(400);
  const closing = old.close(30_000, "answer");
  await reached(800);
  answerLate();
  assert.equal(String((await lateAnswer)[0]), "late");
  isOver = true;
  await asking;
  await clock.advance(10_000);
  await closing;
  const bytes = (edge: typeof old) => edge.traffic().reduce((sum, { bytesIn }) => sum + bytesIn, 0);
  // Sessions are counted when they end.
  await next.close(0);
  assert.ok(bytes(old) > 0 && bytes(next) > 0);
  assert.equal(bytes(old) + bytes(next), sent + "late".length);
});
