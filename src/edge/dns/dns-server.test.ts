import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { systemClock } from "#host/clock.ts";
import { bindSocket, type ListeningSocket, portOf } from "#host/listening-socket.ts";
import { createLog } from "#host/log.ts";
import { giveSockets, takeSockets } from "#host/pass-sockets.ts";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { Clock } from "#model/clock.ts";
import { types } from "./codes.ts";
import { DnsServer } from "./dns-server.ts";
import { fixedResolvers } from "./forward/resolvers.ts";
import { fakeResolver, record, said } from "./testing/fake-resolver.ts";
import { queryFor, readAnswer, uint16 } from "./testing/packets.ts";
import { nameRoute } from "./testing/zone-routes.ts";

const log = createLog({ print: () => {}, nowMs: () => 0 });
const routes = [
  nameRoute("web.api.shop", ["127.0.0.1:9001", "10.0.0.2:9002", "fd00::7:9003"], { servicePort: 10_231 }),
  nameRoute(
    "web.wide.shop",
    Array.from({ length: 100 }, (_, i) => `10.0.1.${i}:80`),
  ),
];

async function serverOf(
  t: TestContext,
  more: {
    readonly port?: number;
    readonly host?: string;
    readonly held?: ListeningSocket;
    readonly clock?: Clock;
    readonly resolver?: { host: string; port: number };
  } = {},
) {
  const server = new DnsServer({
    address: { host: more.host ?? "127.0.0.1", port: more.port ?? 0 },
    held: more.held ?? null,
    networks: [],
    resolvers: fixedResolvers(more.resolver === undefined ? [] : [more.resolver]),
    clock: more.clock ?? systemClock,
    random: Math.random,
    randomBytes,
    log,
  });
  server.apply({ set: routes, remove: [] });
  await server.open();
  t.after(() => server.close());
  /** The resolver inside Node, an implementation that shares nothing with ours. */
  const resolver = new Resolver({ timeout: 20_000, tries: 1 });
  if (server.port > 0) resolver.setServers([`${more.host === "::1" ? "[::1]" : "127.0.0.1"}:${server.port}`]);
  return { server, resolver };
}

test("another resolver understands every kind of answer", async (t) => {
  const { resolver } = await serverOf(t);
  assert.deepEqual(
    (await resolver.resolve4("api.shop.drover", { ttl: true })).toSorted((a, b) => (a.address < b.address ? -1 : 1)),
    [
      { address: "10.0.0.2", ttl: 1 },
      { address: "127.0.0.1", ttl: 1 },
    ],
  );
  assert.deepEqual(await resolver.resolve6("api.shop.drover"), ["fd00::7"]);
  assert.deepEqual((await resolver.resolveSrv("_web._tcp.api.shop.drover")).map(({ port, name }) => `${name}:${port}`).sort(), [
    "7-i0.web.api.shop.drover:9001",
    "7-i1.web.api.shop.drover:9002",
    "7-i2.web.api.shop.drover:9003",
  ]);
  assert.ok((await resolver.resolveTxt("api.shop.drover"))[0]?.includes("address=127.0.0.1:10231"));
  assert.deepEqual(await resolver.reverse("10.0.0.2"), ["7-i1.web.api.shop.drover"]);
  assert.deepEqual(await resolver.resolveNs("drover"), ["ns.drover"]);
  assert.equal((await resolver.resolveSoa("drover")).minttl, 1);
  await assert.rejects(resolver.resolve4("nope.shop.drover"), { code: "ENOTFOUND" });
  await assert.rejects(resolver.resolveMx("api.shop.drover"), { code: "ENODATA" });
});

test("an answer that is too long over UDP comes whole over TCP", async (t) => {
  const { resolver, server } = await serverOf(t);
  assert.equal((await resolver.resolve4("wide.shop.drover")).length, 100);
  assert.equal(server.counts().queries, 2);
});

test("other names are the machine's resolvers' to answer, and are remembered", async (t) => {
  const upstream = await fakeResolver(t, (query) => said(query, { answers: [record(types.a, 60, Buffer.of(192, 0, 2, 1))] }));
  const { resolver, server } = await serverOf(t, { resolver: upstream });
  for (let i = 0; i < 3; i++) assert.deepEqual(await resolver.resolve4("www.example.com"), ["192.0.2.1"]);
  assert.equal(upstream.queries.length, 1);
  assert.equal(server.counts().fromCache, 2);
});

test("without anybody to ask, other names fail and ours do not", async (t) => {
  const { resolver } = await serverOf(t);
  await assert.rejects(resolver.resolve4("www.example.com"), { code: "ESERVFAIL" });
  assert.equal((await resolver.resolve4("api.shop.drover")).length, 2);
});

test("of a burst from several clients each has the answers to its own questions", async (t) => {
  const { server } = await serverOf(t);
  const names = ["api.shop.drover", "web.api.shop.drover", "nope.shop.drover"];
  const asked = async (client: Socket) => {
    const answers: string[] = [];
    const isWhole = new Promise<void>((resolve) =>
      client.on("message", (packet) => {
        const { id, question } = readAnswer(packet);
        if (answers.push(`${id} ${question}`) === 90) resolve();
      }),
    );
    for (let id = 0; id < 90; id++) client.send(queryFor(names[id % 3] ?? "", { id }), server.port, "127.0.0.1");
    await isWhole;
    client.close();
    assert.deepEqual(new Set(answers), new Set(Array.from({ length: 90 }, (_, id) => `${id} ${names[id % 3]}`)));
  };
  await Promise.all(Array.from({ length: 3 }, () => asked(createSocket("udp4"))));
});

test("it answers over IPv6 too", async (t) => {
  if (!(await hasIpv6())) return t.skip("no IPv6 loopback here");
  const { resolver } = await serverOf(t, { host: "::1" });
  assert.equal((await resolver.resolve4("api.shop.drover")).length, 2);
});

async function hasIpv6(): Promise<boolean> {
  const server = net.createServer().listen(0, "::1");
  const isOpen = await Promise.race([once(server, "listening").then(() => true), once(server, "error").then(() => false)]).catch(
    () => false,
  );
  server.close();
  return isOpen;
}

test("an address that is taken is a problem until it is free", async (t) => {
  const holder = createSocket("udp4").bind(0, "127.0.0.1");
  await once(holder, "listening");
  const clock = new VirtualClock();
  const { server } = await serverOf(t, { port: holder.address().port, clock });
  assert.equal(server.problem()?.code, "EADDRINUSE");
  assert.equal(server.port, 0);
  await new Promise<void>((resolve) => holder.close(() => resolve()));
  for (let tries = 0; server.problem() !== null && tries < 2_000; tries++) await clock.advance(1_000);
  assert.equal(server.problem(), null);
});

/** Sends bytes over TCP and gives the messages that come back until the connection ends or there are `wanted`. */
async function overTcp(port: number, chunks: readonly Buffer[], wanted: number): Promise<readonly Buffer[]> {
  const socket = net.connect(port, "127.0.0.1");
  await once(socket, "connect");
  for (const chunk of chunks) {
    socket.write(chunk);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  const messages: Buffer[] = [];
  let read = Buffer.alloc(0);
  socket.on("error", () => socket.destroy());
  if (wanted === 0) {
    await once(socket.resume(), "close");
    return [];
  }
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    read = Buffer.concat([read, chunk]);
    while (read.length >= 2 && read.length >= 2 + read.readUInt16BE(0)) {
      messages.push(read.subarray(2, 2 + read.readUInt16BE(0)));
      read = read.subarray(2 + read.readUInt16BE(0));
    }
    if (messages.length >= wanted) break;
  }
  return messages;
}

const framed = (packet: Buffer) => Buffer.concat([uint16(packet.length), packet]);

test("messages over TCP may come together, in pieces and byte by byte", async (t) => {
  const { server } = await serverOf(t);
  const two = Buffer.concat([framed(queryFor("api.shop.drover", { id: 1 })), framed(queryFor("wide.shop.drover", { id: 2 }))]);
  const halves = [two.subarray(0, 20), two.subarray(20)];
  for (const chunks of [[two], halves, [...two].map((byte) => Buffer.of(byte))]) {
    const answers = await overTcp(server.port, chunks, 2);
    assert.deepEqual(
      answers.map((packet) => readAnswer(packet).answers.length),
      [2, 100],
    );
  }
});

test("over TCP a hundred questions at once are all answered, also those that wait for a resolver", async (t) => {
  const upstream = await fakeResolver(t, (query) => said(query, { answers: [record(types.a, 60, Buffer.of(192, 0, 2, 1))] }));
  const { server } = await serverOf(t, { resolver: upstream });
  const questions = Array.from({ length: 100 }, (_, id) => framed(queryFor(id % 2 === 0 ? "wide.shop.drover" : `n${id}.example`, { id })));
  const answers = await overTcp(server.port, [Buffer.concat(questions)], 100);
  assert.deepEqual(new Set(answers.map((packet) => readAnswer(packet).id)).size, 100);
});

test("what is no DNS ends its connection, and nobody else's", async (t) => {
  const { server, resolver } = await serverOf(t);
  for (const noise of [
    framed(Buffer.alloc(0)),
    framed(Buffer.alloc(5)),
    framed(Buffer.from(queryFor("a.b").fill(0x80, 2, 3))),
    Buffer.alloc(70_000, 0xff),
  ])
    assert.deepEqual(await overTcp(server.port, [noise], 0), []);
  assert.equal((await resolver.resolve4("api.shop.drover")).length, 2);
});

test("a flood of connections pushes out idle ones, and questions go on being answered", async (t) => {
  const { server, resolver } = await serverOf(t);
  const sockets = Array.from({ length: 200 }, () => net.connect(server.port, "127.0.0.1").on("error", () => {}));
  t.after(() => sockets.forEach((socket) => void socket.destroy()));
  await Promise.all(sockets.map((socket) => Promise.race([once(socket, "connect"), once(socket, "close")])));
  assert.equal((await overTcp(server.port, [framed(queryFor("api.shop.drover"))], 1)).length, 1);
  assert.equal((await resolver.resolve4("api.shop.drover")).length, 2);
});

/** Gives the same socket again and again, each time as a descriptor of its own: as edges inherit it. */
async function sharesOf(t: TestContext, socket: ListeningSocket): Promise<() => Promise<ListeningSocket>> {
  const folder = await mkdtemp(join(tmpdir(), "drover-dns-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "give");
  const giver = await giveSockets(
    path,
    () => [["dns", socket]],
    () => {},
  );
  t.after(() => giver.close());
  return async () => {
    const share = (await takeSockets(path, t.signal)).get("dns");
    assert.ok(share);
    return share;
  };
}

test("a server that leaves a held address to the next one loses no question", { timeout: 60_000 }, async (t) => {
  const late = Promise.withResolvers<() => void>();
  const slow = createSocket("udp4").bind(0, "127.0.0.1");
  t.after(() => slow.close());
  await once(slow, "listening");
  slow.on("message", (packet, { port, address }) => {
    late.resolve(() => slow.send(said(packet, { answers: [record(types.a, 60, Buffer.of(192, 0, 2, 1))] }), port, address));
  });
  const socket = await bindSocket({ host: "127.0.0.1", port: 0 });
  t.after(() => socket.close());
  const port = portOf(socket);
  const share = await sharesOf(t, socket);
  const resolver = { host: "127.0.0.1", port: slow.address().port };
  const { server: old } = await serverOf(t, { port, held: await share(), resolver });

  const clients = Array.from({ length: 20 }, () => createSocket("udp4"));
  t.after(() => clients.forEach((client) => void client.close()));
  let answered = 0;
  for (const client of clients) client.on("message", () => answered++);
  const connection = net.connect(port, "127.0.0.1");
  t.after(() => connection.destroy());
  let read = 0;
  connection.on("data", (chunk) => (read += chunk.length));
  const question = queryFor("api.shop.drover");
  let isOver = false;
  let sent = 0;
  let written = 0;
  const asking = (async () => {
    while (!isOver || answered < sent) {
      await nextTurn(undefined, { signal: t.signal });
      if (isOver || sent - answered >= 40) continue;
      clients[sent++ % clients.length]?.send(question, port, "127.0.0.1");
      if (sent % 10 === 0) connection.write(framed(question));
      if (sent % 10 === 0) written++;
      if (sent % 100 === 0) assert.equal((await overTcp(port, [framed(question)], 1)).length, 1);
    }
  })();
  const reached = async (count: number) => {
    while (answered < count) await nextTurn(undefined, { signal: t.signal });
  };
  await reached(200);
  const forwarded = new Resolver({ timeout: 20_000, tries: 1 });
  forwarded.setServers([`127.0.0.1:${port}`]);
  const found = forwarded.resolve4("www.example.com");
  const answerLate = await late.promise;
  const { server: next } = await serverOf(t, { port, held: await share(), resolver });
  await reached(answered + 200);
  const finishing = old.finish(60_000);
  await reached(answered + 200);
  answerLate();
  assert.deepEqual(await found, ["192.0.2.1"], "by the one that was asked");
  isOver = true;
  await asking;
  assert.ok(next.counts().queries > 0 && old.counts().queries > 0);
  const [length] = await overTcp(port, [framed(question)], 1);
  while (read < written * ((length?.length ?? 0) + 2)) await nextTurn(undefined, { signal: t.signal });
  connection.end();
  await finishing;
  await old.close();
  assert.equal((await overTcp(port, [framed(question)], 1)).length, 1);
});
