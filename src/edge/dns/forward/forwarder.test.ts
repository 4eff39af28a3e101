import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { createLog } from "#host/log.ts";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { Clock } from "#model/clock.ts";
import { rcodes, types } from "../codes.ts";
import { readQuery } from "../query.ts";
import { type Behaviour, fakeResolver, record, said } from "../testing/fake-resolver.ts";
import { addressOf, opt, type QueryOptions, queryFor, type ReadAnswer, readAnswer } from "../testing/packets.ts";
import { AnswerCache, type CachedAnswer } from "./answer-cache.ts";
import { Forwarder } from "./forwarder.ts";
import { isSelf, ResolvConf, type Resolvers, readResolvConf } from "./resolvers.ts";
import { readUpstreamAnswer, relay } from "./upstream-answer.ts";

const log = createLog({ print: () => {}, nowMs: () => 0 });
const name = "www.some-long-name.example";
const address = (last: number, ttlS = 300) => record(types.a, ttlS, Buffer.of(192, 0, 2, last));
const soa = (ttlS: number, minimumS: number) =>
  record(types.soa, ttlS, Buffer.concat([Buffer.alloc(2), Buffer.alloc(16), uint32(minimumS)]));
const uint32 = (value: number) => Buffer.of(value >>> 24, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff);
const one: Behaviour = (query) => said(query, { answers: [address(1)] });

function forwarderOf(t: TestContext, resolvers: Resolvers, clock: Clock = new VirtualClock()) {
  const forwarder = new Forwarder({ resolvers, clock, randomBytes, log });
  t.after(() => forwarder.close());
  /** The answer as a client would get it. */
  const ask = (asked = name, options: QueryOptions = {}): Promise<ReadAnswer | null> => {
    const packet = queryFor(asked, options);
    const read = readQuery(packet);
    assert.ok(read.kind === "query" && read.query.question !== null);
    const { query } = read;
    const { question } = query;
    return new Promise((resolve) => {
      const waiter = (found: CachedAnswer | null) => resolve(found && readAnswer(relay(found.answer, query, found.ageS, {}, 65_535)));
      if (question !== null) forwarder.resolve(query, question, waiter);
    });
  };
  return { forwarder, ask };
}

/** The name alone: in the header the same bytes are no letters. */
const inSmallLetters = (query: Buffer) =>
  Buffer.concat([query.subarray(0, 12), Buffer.from(query.toString("latin1", 12).toLowerCase(), "latin1")]);

const addresses = (answer: ReadAnswer | null) => answer?.answers.map(addressOf);

test("an answer is the resolver's, in the client's own spelling, and is kept for as long as it allows", async (t) => {
  const clock = new VirtualClock();
  const resolver = await fakeResolver(t, (query) => said(query, { answers: [address(1, 300), address(2, 60)], additional: [opt()] }));
  const { ask } = forwarderOf(t, { list: async () => [resolver] }, clock);
  const first = await ask("WWW.some-long-name.EXAMPLE", { edns: {} });
  assert.deepEqual(addresses(first), ["192.0.2.1", "192.0.2.2"]);
  assert.equal(first?.question, "WWW.some-long-name.EXAMPLE");
  await clock.advance(59_000);
  assert.deepEqual(
    (await ask())?.answers.map(({ ttlS }) => ttlS),
    [241, 1],
  );
  assert.equal(resolver.queries.length, 1);
  await clock.advance(1_000);
  await ask();
  assert.equal(resolver.queries.length, 2);
});

test("every question to a resolver has an id, a spelling and a port that nobody can foresee", async (t) => {
  const resolver = await fakeResolver(t, one);
  const { ask } = forwarderOf(t, { list: async () => [resolver] });
  await Promise.all(Array.from({ length: 20 }, (_, i) => ask(`host-number-${i}.some-long-name.example`)));
  const ids = new Set(resolver.queries.map(({ packet }) => packet.readUInt16BE(0)));
  const spellings = new Set(resolver.queries.map(({ packet }) => packet.toString("latin1", 28, 50)));
  assert.ok(ids.size > 15 && spellings.size > 15, `${ids.size} ids, ${spellings.size} spellings`);
});

test("that there is nothing is kept as long as the zone's SOA says, and no longer; without one not at all", async (t) => {
  for (const [behave, seconds] of [
    [{ rcode: rcodes.nxDomain, authorities: [soa(600, 30)] }, 30],
    [{ rcode: rcodes.noError, authorities: [soa(20, 300)] }, 20],
    [{ rcode: rcodes.nxDomain, authorities: [soa(999_999, 999_999)] }, 10_800],
    [{ rcode: rcodes.nxDomain }, 0],
    [{ answers: [record(5, 40, Buffer.of(0))], authorities: [soa(600, 300)] }, 40],
    [{ answers: [record(types.a, 0x80000001, Buffer.alloc(4))] }, 0],
    [{ answers: [address(1, 999_999)] }, 86_400],
  ] as const) {
    const clock = new VirtualClock();
    const resolver = await fakeResolver(t, (query) => said(query, behave));
    const { ask } = forwarderOf(t, { list: async () => [resolver] }, clock);
    await ask();
    await clock.advance(Math.max(0, seconds * 1_000 - 1));
    await ask();
    assert.equal(resolver.queries.length, seconds === 0 ? 2 : 1, `${seconds}`);
    await clock.advance(1);
    await ask();
    assert.equal(resolver.queries.length, seconds === 0 ? 3 : 2, `${seconds}`);
  }
});

test("the same question is out once, however many ask", async (t) => {
  const resolver = await fakeResolver(t, one);
  const { ask, forwarder } = forwarderOf(t, { list: async () => [resolver] });
  const answers = await Promise.all(Array.from({ length: 70 }, () => ask()));
  assert.equal(resolver.queries.length, 1);
  assert.equal(answers.filter((answer) => answer !== null).length, 64);
  assert.equal(forwarder.counts().shed, 6, "more than that are not kept waiting");
});

test("what is cut short, spelled otherwise or answered wrongly too often is asked again over TCP", async (t) => {
  const behaviours: readonly Behaviour[] = [
    (query) => said(query, { flags: 0x8380 }),
    (query) => said(inSmallLetters(query), { answers: [address(9)] }),
    (query) => Array.from({ length: 8 }, (_, i) => said(Buffer.concat([Buffer.of(0, i), query.subarray(2)]), { answers: [address(9)] })),
  ];
  for (const overUdp of behaviours) {
    const resolver = await fakeResolver(t, (query, transport) => (transport === "tcp" ? one(query, transport) : overUdp(query, transport)));
    const { ask } = forwarderOf(t, { list: async () => [resolver] });
    assert.deepEqual(addresses(await ask()), ["192.0.2.1"]);
    assert.equal(resolver.queries.at(-1)?.transport, "tcp");
  }
});

test("an answer to another question, or from somebody else, is no answer", async (t) => {
  const resolver = await fakeResolver(t, (query) => {
    const other = Buffer.from(query);
    other[13] = 0x58;
    return [said(other, { answers: [address(9)] }), query, Buffer.alloc(3), said(query, { answers: [address(1)] })];
  });
  const { ask } = forwarderOf(t, { list: async () => [resolver] });
  assert.deepEqual(addresses(await ask()), ["192.0.2.1"]);
});

test("a resolver that is gone, silent, failing or lying about its records makes room for the next", async (t) => {
  const good = await fakeResolver(t, one);
  const clock = new VirtualClock();
  const bad: readonly Behaviour[] = [
    () => {
      void clock.advance(600);
      return null;
    },
    (query) => said(query, { rcode: rcodes.servFail }),
    (query) => said(query, { rcode: rcodes.refused }),
    (query) => said(query, { answers: [address(9).subarray(0, 9)] }),
    (query) => said(query, { answers: [Buffer.concat([Buffer.of(0xc0, 0xff), address(9).subarray(2)])] }),
  ];
  for (const behave of bad) {
    const resolver = await fakeResolver(t, behave);
    const { ask } = forwarderOf(t, { list: async () => [resolver, good] }, clock);
    assert.deepEqual(addresses(await ask()), ["192.0.2.1"]);
  }
  const { ask } = forwarderOf(t, { list: async () => [{ host: "127.0.0.1", port: 1 }, good] });
  assert.deepEqual(addresses(await ask()), ["192.0.2.1"]);
});

test("when all fail the client is told so, and the next is told from memory for a second", async (t) => {
  const clock = new VirtualClock();
  const resolver = await fakeResolver(t, (query) => said(query, { rcode: rcodes.servFail }));
  const { ask } = forwarderOf(t, { list: async () => [resolver] }, clock);
  assert.equal((await ask())?.rcode, rcodes.servFail);
  const { length } = resolver.queries;
  assert.equal((await ask())?.rcode, rcodes.servFail);
  assert.equal(resolver.queries.length, length);
  const alone = forwarderOf(t, { list: async () => [] });
  assert.equal(await alone.ask(), null);
});

test("past its bound the oldest question makes room", async (t) => {
  const silent = await fakeResolver(t, () => null);
  const { ask, forwarder } = forwarderOf(t, { list: async () => [silent] });
  const settled: number[] = [];
  const asked = Array.from({ length: 130 }, (_, i) => ask(`n${i}.example`).then(() => settled.push(i)));
  await Promise.all(asked.slice(0, 2));
  assert.deepEqual(
    settled.toSorted((a, b) => a - b),
    [0, 1],
  );
  assert.equal(forwarder.counts().shed, 2);
  forwarder.close();
  await Promise.all(asked);
});

test("a question that comes back is known by its spelling: it fails at once, and that resolver is not asked again for a while", async (t) => {
  let forwarder: Forwarder | null = null;
  const looping = await fakeResolver(t, (query) => {
    const read = readQuery(query);
    if (read.kind === "query" && read.query.question !== null) forwarder?.resolve(read.query, read.query.question, () => {});
    return null;
  });
  const made = forwarderOf(t, { list: async () => [looping] });
  forwarder = made.forwarder;
  assert.equal(await made.ask(), null);
  assert.equal(made.forwarder.counts().loops, 1);
  assert.equal(looping.queries.length, 1);
});

test("the machine's resolvers are read again when their file changes, and none of them is ourselves", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "drover-dns-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, "resolv.conf");
  const clock = new VirtualClock();
  const uplinkFile = join(folder, "uplinks");
  const conf = new ResolvConf({ file, uplinkFile, clock, own: { host: "127.0.0.1", port: 53 } });
  assert.deepEqual(await conf.list(), []);
  await writeFile(
    file,
    "# none\nnameserver 192.0.2.53\nnameserver 127.0.0.1\nsearch example\nnameserver  ::1\n;nameserver 1.1.1.1\nnameserver nonsense\n",
  );
  assert.deepEqual(await conf.list(), [], "not looked at again at once");
  await clock.advance(2_000);
  assert.deepEqual(
    (await conf.list()).map(({ host }) => host),
    ["192.0.2.53", "::1"],
  );
  await writeFile(`${file}.new`, "nameserver 198.51.100.1\n");
  await rename(`${file}.new`, file);
  await clock.advance(2_000);
  assert.deepEqual(await conf.list(), [{ host: "198.51.100.1", port: 53 }]);
  await writeFile(file, "nameserver 127.0.0.53\n");
  await clock.advance(2_000);
  assert.deepEqual(await conf.list(), [{ host: "127.0.0.53", port: 53 }]);
  await writeFile(uplinkFile, "nameserver 203.0.113.9\n");
  await clock.advance(2_000);
  assert.deepEqual(await conf.list(), [{ host: "203.0.113.9", port: 53 }], "those that systemd-resolved asks itself");
  assert.equal(readResolvConf("nameserver 192.0.2.1\n".repeat(20)).length, 4);
  assert.ok(isSelf({ host: "127.0.0.1", port: 53 }, { host: "0.0.0.0", port: 53 }));
  assert.ok(!isSelf({ host: "127.0.0.1", port: 53 }, { host: "0.0.0.0", port: 7353 }));
});

test("the cache stays within its bounds", () => {
  const cache = new AnswerCache(new VirtualClock());
  const answer = readUpstreamAnswer(said(queryFor(name), { answers: [record(types.txt, 300, Buffer.alloc(4_000))] }), 12 + name.length + 6);
  assert.ok(answer);
  for (let i = 0; i < 5_000; i++) cache.keep(`k${i}`, answer);
  assert.ok(cache.size < 2_000, `${cache.size}`);
  assert.equal(cache.get("k0"), null);
  assert.ok(cache.get("k4999"));
});

test("no bytes of a resolver make the reader of its answers fail, or what is passed on longer than it was", () => {
  const whole = said(queryFor(name), { answers: [address(1), address(2)], authorities: [soa(5, 5)], additional: [address(3), opt()] });
  const end = 12 + name.length + 6;
  const changes = fc.array(fc.tuple(fc.integer({ min: 2, max: whole.length - 1 }), fc.nat(255)), { maxLength: 8 });
  fc.assert(
    fc.property(changes, fc.nat(whole.length - end), (changed, cut) => {
      const packet = Buffer.from(whole.subarray(0, whole.length - cut));
      for (const [at, value] of changed) if (at < packet.length && (at < 12 || at >= end)) packet[at] = value;
      const answer = readUpstreamAnswer(packet, end);
      if (answer === null) return;
      assert.ok(answer.bytes.length <= packet.length && answer.lifetimeS >= 0 && answer.lifetimeS <= 86_400);
      assert.ok(answer.ttlAts.every((at) => at + 4 <= answer.bytes.length));
    }),
    { numRuns: 2_000 },
  );
});
