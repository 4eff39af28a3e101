import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createLog } from "#host/log.ts";
import { parseNetwork } from "#host/network.ts";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { RouteId } from "#model/names.ts";
import type { Route } from "#model/routing-table.ts";
import { Access } from "./access.ts";
import { rcodes, types } from "./codes.ts";
import { Forwarder } from "./forward/forwarder.ts";
import { type Client, Responder } from "./responder.ts";
import { hostilePackets } from "./testing/hostile-packets.ts";
import { addressOf, cookieOption, type QueryOptions, queryFor, type ReadAnswer, readAnswer } from "./testing/packets.ts";
import { nameRoute } from "./testing/zone-routes.ts";
import { Zone } from "./zone.ts";

const local: Client = { address: "127.0.0.1", transport: "udp" };
const overTcp: Client = { address: "127.0.0.1", transport: "tcp" };
const neighbour: Client = { address: "10.1.2.3", transport: "udp" };
const stranger: Client = { address: "192.0.2.1", transport: "udp" };

const api = nameRoute("web.api.shop", ["127.0.0.1:9001", "10.0.0.2:9002", "10.0.0.3:9003", "[fd00::7]:9004".replace(/[[\]]/g, "")], {
  servicePort: 10_231,
});
const idle = nameRoute("db.api.shop", []);

function responderOf(...routes: readonly Route[]) {
  const clock = new VirtualClock();
  const log = createLog({ print: () => {}, nowMs: () => 0 });
  const forwarder = new Forwarder({ resolvers: { list: async () => [] }, clock, randomBytes: (count) => Buffer.alloc(count, 1), log });
  const responder = new Responder({
    zone: new Zone("127.0.0.1"),
    access: new Access([parseNetwork("10.0.0.0/8")]),
    forwarder,
    clock,
    random: () => 0,
    cookieSecret: Buffer.alloc(32, 3),
  });
  responder.apply({ set: routes, remove: [] });
  const send = (packet: Buffer, client = local): Buffer | null => {
    let answer = client.transport === "udp" ? responder.readyAnswer(packet, client.address) : undefined;
    if (answer === undefined) responder.answer(packet, client, (bytes) => (answer = bytes));
    assert.notEqual(answer, undefined, "what needs no resolver is answered at once");
    return answer ?? null;
  };
  const ask = (name: string, type: number = types.a, options: QueryOptions = {}, client = local): ReadAnswer => {
    const answer = send(queryFor(name, { ...options, type }), client);
    assert.ok(answer);
    return readAnswer(answer);
  };
  return { responder, send, ask, clock };
}

function characterStrings(data: Buffer): readonly string[] {
  const texts: string[] = [];
  for (let at = 0; at < data.length; at += 1 + (data[at] ?? 0)) texts.push(data.toString("utf8", at + 1, at + 1 + (data[at] ?? 0)));
  return texts;
}

const addresses = (answer: ReadAnswer) => answer.answers.map(addressOf);

test("an app's name and its process's have the addresses of all ready instances, a second at most", () => {
  const { ask } = responderOf(api, idle);
  for (const name of ["api.shop.drover", "web.api.shop.drover", "API.Shop.DROVER"]) {
    const answer = ask(name);
    assert.deepEqual(addresses(answer).sort(), ["10.0.0.2", "10.0.0.3", "127.0.0.1"]);
    assert.equal(answer.question, name, "the spelling is the client's");
    assert.ok(answer.isAuthoritative);
    assert.ok(answer.answers.every(({ ttlS }) => ttlS === 1));
    assert.deepEqual(addresses(ask(name, types.aaaa)), ["fd000000000000000000000000000007"]);
  }
});

test("the order changes from answer to answer, so that whoever takes the first spreads its calls", () => {
  const { ask } = responderOf(api);
  const firsts = Array.from({ length: 6 }, () => addresses(ask("api.shop.drover"))[0]);
  assert.deepEqual(firsts, ["127.0.0.1", "10.0.0.2", "10.0.0.3", "127.0.0.1", "10.0.0.2", "10.0.0.3"]);
});

test("SRV has each instance's port, and its address beside it", () => {
  const { ask } = responderOf(api);
  for (const name of ["api.shop.drover", "web.api.shop.drover", "_web._tcp.api.shop.drover"]) {
    const answer = ask(name, types.srv, { edns: {} });
    assert.deepEqual(answer.answers.map(({ data }) => data.readUInt16BE(4)).sort(), [9001, 9002, 9003, 9004]);
    assert.deepEqual(
      answer.additional.map(({ name: owner }) => owner).sort(),
      [0, 1, 2, 3].map((i) => `7-i${i}.web.api.shop.drover`),
    );
  }
  assert.deepEqual(addresses(ask("7-i1.web.api.shop.drover")), ["10.0.0.2"]);
});

test("SRV weights are the shares of traffic, and what takes none is not named", () => {
  const [target] = api.targets;
  assert.ok(target);
  const [a, b, c] = target.endpoints;
  assert.ok(a && b && c);
  const targets = [
    { release: 1, weight: 900, endpoints: [a, b] },
    { release: 2, weight: 100, endpoints: [c] },
    { release: 3, weight: 0, endpoints: target.endpoints.slice(3) },
  ];
  const { ask } = responderOf({ ...api, targets });
  const found = ask("api.shop.drover", types.srv, {}, overTcp).answers.map(({ data }) => `${data.readUInt16BE(4)}×${data.readUInt16BE(2)}`);
  assert.deepEqual(found.sort(), ["9001×450", "9002×450", "9003×100"]);
  assert.deepEqual(ask("api.shop.drover", types.aaaa).answers, []);
});

test("TXT says what it is and where its service address is, while that is open", () => {
  const { ask } = responderOf(api, idle);
  const facts = (name: string) => characterStrings(ask(name, types.txt, { edns: {} }).answers[0]?.data ?? Buffer.alloc(0));
  const shared = ["space=shop", "app=api"];
  assert.deepEqual(facts("api.shop.drover"), [...shared, "process=web", "protocol=http", "address=127.0.0.1:10231", "ready=4"]);
  assert.deepEqual(facts("db.api.shop.drover"), [...shared, "process=db", "protocol=http", "ready=0"]);
});

test("a name that is there without such a record, and one that is not there, are told apart, both with how long that holds", () => {
  const { ask } = responderOf(api, idle);
  const there = ["api.shop.drover", "db.api.shop.drover", "shop.drover", "drover", "_tcp.api.shop.drover", "7-i0.web.api.shop.drover"];
  for (const name of there) {
    const answer = ask(name, 99);
    assert.deepEqual([answer.rcode, answer.answers.length], [rcodes.noError, 0], name);
    assert.deepEqual(
      answer.authorities.map(({ type, name: owner }) => [type, owner]),
      [[types.soa, "drover"]],
      name,
    );
  }
  const gone = [
    "x.drover",
    "x.shop.drover",
    "x.api.shop.drover",
    "x.web.api.shop.drover",
    "a.b.c.d.drover",
    "_x._tcp.api.shop.drover",
    "web._tcp.api.shop.drover",
    "a.7-i0.web.api.shop.drover",
  ];
  for (const name of gone) {
    const answer = ask(name);
    assert.equal(answer.rcode, rcodes.nxDomain, name);
    assert.deepEqual(
      answer.authorities.map(({ data }) => data.readUInt32BE(data.length - 4)),
      [1],
      name,
    );
  }
});

test("a change of the table is in the very next answer, and touches no other app's", () => {
  const other = nameRoute("web.cart.shop", ["10.0.0.9:1"]);
  const { responder, ask } = responderOf(api, other);
  assert.equal(ask("api.shop.drover").answers.length, 3);
  assert.equal(ask("nope.shop.drover").rcode, rcodes.nxDomain);
  assert.deepEqual(addresses(ask("cart.shop.drover")), ["10.0.0.9"]);
  responder.apply({ set: [nameRoute("web.api.shop", ["10.0.0.5:1"]), nameRoute("web.nope.shop", ["10.0.0.6:1"])], remove: [] });
  assert.deepEqual(addresses(ask("api.shop.drover")), ["10.0.0.5"]);
  assert.deepEqual(addresses(ask("nope.shop.drover")), ["10.0.0.6"]);
  const before = responder.counts().ready;
  ask("cart.shop.drover");
  assert.equal(responder.counts().ready, before + 1, "what did not change is still ready");
  responder.apply({ set: [nameRoute("web.api.shop", [])], remove: [other.id] });
  assert.deepEqual([ask("api.shop.drover").rcode, ask("api.shop.drover").answers.length], [rcodes.noError, 0]);
  assert.equal(ask("cart.shop.drover").rcode, rcodes.nxDomain);
  responder.apply({ set: [], remove: [api.id, "shop/nope/web name" as RouteId] });
  assert.equal(ask("shop.drover").rcode, rcodes.nxDomain, "a space without apps has no name");
});

test("queries that are found at the same place have their own answers, whoever asks last", () => {
  // Their bytes come to the same 32 bits.
  const [one, other] = ["yj492n.isp.drover", "1oh8zdp.otn.drover"];
  const { responder, ask } = responderOf(nameRoute("web.yj492n.isp", ["10.0.0.5:1"]), nameRoute("web.1oh8zdp.otn", ["10.0.0.6:1"]));
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(addresses(ask(one)), ["10.0.0.5"]);
    assert.deepEqual(addresses(ask(other)), ["10.0.0.6"]);
  }
  assert.equal(responder.counts().ready, 0, "each took the other's place");
  responder.apply({ set: [nameRoute("web.1oh8zdp.otn", ["10.0.0.7:1"])], remove: [] });
  assert.deepEqual(addresses(ask(other)), ["10.0.0.7"]);
});

test("the name of an instance's address is the instance, and loopback's is localhost", () => {
  const { ask, responder } = responderOf(api);
  const target = (name: string) => ask(name, types.ptr).answers[0]?.data.toString("latin1");
  assert.match(target("2.0.0.10.in-addr.arpa") ?? "", /7-i1.web.api.shop.drover/);
  assert.match(target(`7.${"0.".repeat(29)}d.f.ip6.arpa`) ?? "", /7-i3/);
  assert.match(target("1.0.0.127.in-addr.arpa") ?? "", /localhost/);
  responder.apply({ set: [nameRoute("web.api.shop", [])], remove: [] });
  assert.equal(responder.counts().malformed, 0);
});

test("names that no resolver may be asked for are answered here", () => {
  const { ask } = responderOf();
  assert.deepEqual(addresses(ask("localhost")), ["127.0.0.1"]);
  assert.deepEqual(addresses(ask("a.b.localhost", types.aaaa)), [`${"0".repeat(31)}1`]);
  for (const name of ["x.invalid", "x.onion", "2.0.0.127.in-addr.arpa"]) assert.equal(ask(name).rcode, rcodes.nxDomain, name);
});

test("only this machine and the networks that were named may ask", () => {
  const { ask, send, responder } = responderOf(api);
  assert.equal(ask("api.shop.drover", types.a, {}, neighbour).answers.length, 3);
  for (const address of ["192.0.2.1", "11.0.0.1", "::ffff:192.0.2.1", "fd00::1"]) {
    const answer = ask("api.shop.drover", types.a, {}, { ...stranger, address });
    assert.deepEqual([answer.rcode, answer.answers.length], [rcodes.refused, 0], address);
  }
  assert.equal(ask("api.shop.drover", types.a, {}, { address: "::ffff:10.9.9.9", transport: "udp" }).rcode, rcodes.noError);
  send(queryFor("api.shop.drover"));
  const refused = send(queryFor("api.shop.drover"), stranger);
  assert.equal(refused && readAnswer(refused).rcode, rcodes.refused, "also what is ready for others");
  assert.equal(responder.counts().notAllowed, 5);
});

test("what is not asked with recursion, and ANY of other names, goes to no resolver", () => {
  const { ask } = responderOf();
  assert.equal(ask("example.com", types.a, { flags: 0 }).rcode, rcodes.refused);
  const any = ask("example.com", types.any).answers;
  assert.deepEqual(
    any.map(({ type }) => type),
    [types.hinfo],
  );
});

test("hostile packets are answered by the RFCs or not at all", () => {
  const { send } = responderOf(api, idle);
  for (const { what, packet, rcode } of hostilePackets()) {
    for (const client of [local, overTcp]) {
      const answer = send(packet, client);
      if (rcode === null) assert.equal(answer, null, what);
      else {
        assert.ok(answer, what);
        const read = readAnswer(answer);
        assert.deepEqual([read.rcode, read.id, read.flags & 0x8000], [rcode, 7, 0x8000], what);
      }
    }
  }
});

test("no answer over UDP is ten times its query, unless a cookie proves the client's address", () => {
  const many = nameRoute(
    "web.many.shop",
    Array.from({ length: 60 }, (_, i) => `10.0.1.${i}:80`),
  );
  const { ask, send } = responderOf(many);
  const query = queryFor("many.shop.drover", { type: types.srv, edns: {} });
  const cut = send(query, neighbour);
  assert.ok(cut && cut.length <= query.length * 10);
  assert.ok(readAnswer(cut).isTruncated);
  assert.deepEqual(readAnswer(cut).answers, [], "half of a set would be taken for the whole");
  assert.equal(ask("many.shop.drover", types.srv, {}, overTcp).answers.length, 60);

  const client = Buffer.alloc(8, 9);
  const first = ask("many.shop.drover", types.a, { edns: { data: cookieOption(client) } }, neighbour);
  assert.ok(first.isTruncated && first.edns);
  const cookie = first.edns.subarray(4, 28);
  assert.deepEqual(cookie.subarray(0, 8), client);
  const proven = ask("many.shop.drover", types.a, { edns: { data: cookieOption(cookie) } }, neighbour);
  assert.equal(proven.answers.length, 60);
  const forged = ask("many.shop.drover", types.a, { edns: { data: cookieOption(cookie) } }, { ...neighbour, address: "10.1.2.4" });
  assert.ok(forged.isTruncated, "a cookie is worth nothing at another address");
});

test("a cookie is given to who asks for nothing else, and ends after an hour", async () => {
  const { send, ask, clock } = responderOf(
    nameRoute(
      "web.many.shop",
      Array.from({ length: 60 }, (_, i) => `10.0.1.${i}:80`),
    ),
  );
  const packet = queryFor("", { edns: { data: cookieOption(Buffer.alloc(8, 9)) } });
  packet.writeUInt16BE(0, 4);
  const bare = Buffer.concat([packet.subarray(0, 12), packet.subarray(17)]);
  const answer = send(bare, neighbour);
  assert.ok(answer);
  const cookie = readAnswer(answer).edns?.subarray(4, 28) ?? Buffer.alloc(0);
  const isTruncated = () => ask("many.shop.drover", types.a, { edns: { data: cookieOption(cookie) } }, neighbour).isTruncated;
  assert.equal(isTruncated(), false);
  await clock.advance(3_600_000);
  assert.equal(isTruncated(), false);
  await clock.advance(1_000);
  assert.equal(isTruncated(), true);
});

test("sizes are the client's, within what fits without fragments, and 512 without EDNS", () => {
  const many = nameRoute(
    "web.many.shop",
    Array.from({ length: 25 }, (_, i) => `10.0.1.${i}:80`),
  );
  const huge = nameRoute(
    "web.huge.shop",
    Array.from({ length: 200 }, (_, i) => `10.0.2.${i}:80`),
  );
  const { ask } = responderOf(many, huge);
  const { edns } = ask("many.shop.drover", types.a, { edns: { data: cookieOption(Buffer.alloc(8)) } });
  const cookie = cookieOption(edns?.subarray(4, 28) ?? Buffer.alloc(0));
  const fits = (name: string, udpBytes: number) => !ask(name, types.a, { edns: { udpBytes, data: cookie } }).isTruncated;
  assert.deepEqual(
    [0, 511, 512, 600].map((size) => fits("many.shop.drover", size)),
    [true, true, true, true],
  );
  assert.deepEqual(
    [512, 1_232, 4_096, 65_535].map((size) => fits("huge.shop.drover", size)),
    [false, false, false, false],
  );
  assert.equal(ask("huge.shop.drover", types.a, {}, overTcp).answers.length, 200);
});

test("a network that asks too much is told to come by TCP, every second time, and else nothing", async () => {
  const { send, clock } = responderOf(api);
  const flood = (count: number, client: Client) => {
    const seen = { whole: 0, cut: 0, none: 0 };
    for (let i = 0; i < count; i++) {
      const answer = send(queryFor("api.shop.drover"), { ...client, address: client.address.replace(/\d+$/, String(i % 200)) });
      if (answer === null) seen.none++;
      else if (readAnswer(answer).isTruncated) seen.cut++;
      else seen.whole++;
    }
    return seen;
  };
  assert.deepEqual(flood(3_000, neighbour), { whole: 2_000, cut: 500, none: 500 });
  assert.deepEqual(flood(100, { ...neighbour, address: "10.1.3.1" }), { whole: 100, cut: 0, none: 0 }, "the network beside it");
  assert.deepEqual(flood(3_000, { ...neighbour, transport: "tcp" }), { whole: 3_000, cut: 0, none: 0 });
  await clock.advance(100);
  assert.deepEqual(flood(102, neighbour), { whole: 100, cut: 1, none: 1 });
});

test("whatever comes, an answer is well-formed, repeats the id, and is at most ten times as long", () => {
  const { responder } = responderOf(api, idle);
  const seeds = hostilePackets().map(({ packet }) => packet);
  const mutated = fc
    .tuple(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }), fc.nat(80))
    .map(([seed, changes, cut]) => {
      const packet = Buffer.from(seed.subarray(0, Math.max(0, seed.length - (cut > 40 ? 0 : cut))));
      for (const [at, value] of changes) if (packet.length > 0) packet[at % packet.length] = value;
      return packet;
    });
  const packets = fc.oneof(
    mutated,
    fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(packets, fc.constantFrom(local, neighbour, stranger), (packet, client) => {
      const given = Buffer.from(packet);
      responder.answer(packet, client, (answer) => {
        assert.deepEqual(packet, given, "the client's packet is left as it is");
        if (answer === null) return;
        const read = readAnswer(answer);
        assert.equal(read.id, packet.readUInt16BE(0));
        assert.ok((read.flags & 0x8000) !== 0 && (packet[2] ?? 0) < 0x80);
        assert.ok(answer.length <= packet.length * 10);
      });
    }),
    { numRuns: 3_000 },
  );
});
