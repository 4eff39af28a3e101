import assert from "node:assert/strict";
import dgram from "node:dgram";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import fc from "fast-check";
import { systemClock } from "#host/clock.ts";
import { createLog } from "#host/log.ts";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { InstanceId } from "#model/names.ts";
import { readStatsd } from "./read-statsd.ts";
import { StatsdFigures } from "./statsd-figures.ts";
import { StatsdListeners } from "./statsd-listeners.ts";

const rows: readonly (readonly [line: string, told: string])[] = [
  ["orders:1|c", "orders count 1"],
  ["orders:3|c|@0.1", "orders count 30"],
  ["shop.orders-new:1|c|#kind:card,first", 'shop_orders_new{"first":"true","kind":"card"} count 1'],
  ["2xx:1:2:3|c", "_2xx count 1; _2xx count 2; _2xx count 3"],
  ["queue:7|g", "queue set-gauge 7"],
  ["queue:-2|g", "queue move-gauge -2"],
  ["queue:+2.5|g", "queue move-gauge 2.5"],
  ["took:320|ms|@0.5", "took observe 0.32 seconds 2"],
  ["size:12|h", "size observe 12 none 1"],
  ["size:12|d|#a:b:c|T1700000000|c:1f2e", 'size{"a":"b:c"} observe 12 none 1'],
  ["visitors:ann:7|s", "visitors member ann:7"],
  ["x:1|c|#__name__:y,a.b:1,__proto__:z", 'x{"_name__":"y","_proto__":"z","a_b":"1"} count 1'],
];
for (const [line, told] of rows)
  test(`statsd: ${line}`, () => {
    const said = readStatsd(line)?.map(({ name, labels, kind, ...rest }) => {
      const values = "unit" in rest ? [rest.value, rest.unit, rest.weight] : Object.values(rest);
      return `${name}${Object.keys(labels).length === 0 ? "" : JSON.stringify(labels)} ${kind} ${values.join(" ")}`;
    });
    assert.equal(said?.join("; "), told);
  });

test("what is no line of statsd, or falls where it may only grow, is none", () => {
  const long = "n".repeat(201);
  const none = [
    "",
    ":1|c",
    "a",
    "a:1",
    "a:|c",
    "a:x|c",
    "a:1|q",
    "a:-1|c",
    "a:-5|ms",
    "a:1|c|@0",
    "a:1|c|@2",
    "a:1|c|@x",
    "a:NaN|g",
    "a:0x10|c",
  ];
  const tooMany = [
    `${long}:1|c`,
    `a:1|c|#${long}:1`,
    `a:1|c|#${Array.from({ length: 33 }, (_, i) => `t${i}:1`)}`,
    `a:${"1:".repeat(200)}1|c`,
  ];
  for (const line of [...none, ...tooMany, `a:${long}|s`, `a:1|c|#t:${"v".repeat(1_001)}`, "a:1e999|c"])
    assert.equal(readStatsd(line), null, line);
  fc.assert(fc.property(fc.string({ maxLength: 300 }), (text) => void new StatsdFigures(() => 0).take(text)));
});

test("counters add up, gauges stay, timers and histograms fill buckets, and sets tell how many came within a window", () => {
  let nowMs = 0;
  const figures = new StatsdFigures(() => nowMs);
  figures.take("orders:1|c|#k:a\norders:2|c|#k:b\norders:1|c|@0.5|#k:a\n\n_e{5,4}:title|text\n_sc|db|0");
  figures.take("queue:5|g\nqueue:-2|g\ntook:3|ms\ntook:90000|ms\nsize:3|h\nseen:ann|s\nseen:bob|s\nseen:ann|s");
  figures.take("orders:7|g\nnonsense");
  assert.equal(figures.leftOut, 2, "what a name is, its first line says");
  const told = () => new Map(figures.metrics().map(({ name, type, samples }) => [name, { type, samples }]));
  assert.deepEqual(told().get("orders"), {
    type: "counter",
    samples: [
      ["orders", { k: "a" }, 3],
      ["orders", { k: "b" }, 2],
    ],
  });
  assert.deepEqual(told().get("queue"), { type: "gauge", samples: [["queue", {}, 3]] });
  const took = told().get("took_seconds")?.samples ?? [];
  assert.deepEqual(
    took
      .filter(([, { le }]) => le === "0.002" || le === "0.005" || le === "+Inf" || le === undefined)
      .map(([name, { le }, value]) => [name, le, value]),
    [
      ["took_seconds_bucket", "0.002", 0],
      ["took_seconds_bucket", "0.005", 1],
      ["took_seconds_bucket", "+Inf", 2],
      ["took_seconds_sum", undefined, 90.003],
      ["took_seconds_count", undefined, 2],
    ],
  );
  assert.equal(
    told()
      .get("size")
      ?.samples.find(([, { le }]) => le === "5")?.[2],
    1,
  );
  assert.deepEqual(told().get("seen")?.samples, [["seen", {}, 0]], "its window is not over");
  nowMs = 15_000;
  assert.deepEqual(told().get("seen")?.samples, [["seen", {}, 2]]);
  figures.take("seen:cid|s");
  nowMs = 50_000;
  assert.deepEqual(told().get("seen")?.samples, [["seen", {}, 0]], "nobody came in the last one");
});

test("an instance has two thousand series and ten thousand members of sets, whatever it sends", () => {
  const figures = new StatsdFigures(() => 0);
  for (let i = 0; i < 3_000; i++) figures.take(`a:1|c|#n:${i}`);
  for (let i = 0; i < 12_000; i++) figures.take(`s:${i}|s`);
  const series = figures.metrics().reduce((sum, { samples }) => sum + samples.length, 0);
  assert.deepEqual([series, figures.leftOut], [2_000, 1_000 + 12_000]);
  const sets = new StatsdFigures(() => 0);
  for (let i = 0; i < 12_000; i++) sets.take(`s:${i}|s`);
  assert.equal(sets.leftOut, 2_000);
});

const log = createLog({ print: () => {}, nowMs: () => 0 });
const ids = ["a/b/c.1.x", "a/b/c.1.y"] as InstanceId[];

/** A port that the kernel says is free. */
async function freePort(): Promise<number> {
  const socket = dgram.createSocket("udp4").bind({ address: "127.0.0.1", port: 0 });
  await once(socket, "listening");
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test("whose figures they are is the port's to say; one that is closed is free, and one that is taken is not shared", {
  timeout: 20_000,
}, async (t) => {
  const listeners = new StatsdListeners({ clock: systemClock, log });
  const sender = dgram.createSocket("udp4");
  t.after(() => {
    listeners.closeAll();
    sender.close();
  });
  const [x, y] = ids as [InstanceId, InstanceId];
  const ports = [await listeners.open(x, null, freePort), await listeners.open(y, null, freePort)] as number[];
  assert.equal(await listeners.open(x, null, freePort), ports[0]);
  const countOf = (id: InstanceId) => listeners.read(id)?.metrics[0]?.samples[0]?.[2] ?? 0;
  for (const [i, port] of ports.entries()) sender.send(`orders:${i + 1}|c|#instance_id:${x}`, port, "127.0.0.1");
  await until(() => countOf(x) > 0 && countOf(y) > 0);
  assert.deepEqual([countOf(x), countOf(y)], [1, 2]);
  const other = new StatsdListeners({ clock: systemClock, log });
  const openFiles = async () => (await readdir("/proc/self/fd")).length;
  const before = await openFiles();
  for (let tried = 0; tried < 50; tried++)
    assert.equal(await other.open(x, ports[0] as number, freePort), null, "what runs was told this port and no other");
  assert.ok((await openFiles()) < before + 25, "what could not listen is open no more");
  listeners.close(x);
  assert.equal(await other.open(x, ports[0] as number, freePort), ports[0]);
  assert.deepEqual([listeners.read(x), other.read(x)?.metrics], [null, []]);
  other.closeAll();
});

test("a flood is not read beyond its bound, and other instances are", { timeout: 30_000 }, async (t) => {
  const clock = new VirtualClock(0);
  const listeners = new StatsdListeners({ clock, log });
  const sender = dgram.createSocket("udp4");
  t.after(() => {
    listeners.closeAll();
    sender.close();
  });
  const [x, y] = ids as [InstanceId, InstanceId];
  const [flooded, calm] = [await listeners.open(x, null, freePort), await listeners.open(y, null, freePort)] as [number, number];
  const countOf = (id: InstanceId) => listeners.read(id)?.metrics[0]?.samples[0]?.[2] ?? 0;
  const packet = Buffer.from("hits:1|c".padEnd(60_000, "\n"));
  const isOver = () => (listeners.read(x)?.leftOut ?? 0) > 0;
  // Not all that is sent arrives; what does is of one second.
  while (!isOver()) {
    sender.send(packet, flooded, "127.0.0.1");
    await new Promise((resolve) => setImmediate(resolve));
  }
  const before = countOf(x);
  assert.equal(before, Math.floor(2 ** 20 / packet.length));
  sender.send("hits:1|c", calm, "127.0.0.1");
  await until(() => countOf(y) === 1);
  assert.equal(countOf(x), before);
  await clock.advance(1_000);
  // It listens again: what was not there a second ago is, and the port is the same.
  while (countOf(x) === before) {
    sender.send("hits:1|c", flooded, "127.0.0.1");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
});
