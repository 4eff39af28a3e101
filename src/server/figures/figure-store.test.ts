import assert from "node:assert/strict";
import { appendFile, mkdtemp, open as openFile, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createLog } from "#host/log.ts";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import { FigureStore } from "./figure-store.ts";
import { finest } from "./levels.ts";
import { keyOf, type Sample } from "./series.ts";

const minuteMs = 60_000;
const dayMs = 86_400_000;
/** A whole block of every level begins here. */
const startMs = Math.floor(1_700_000_000_000 / dayMs) * dayMs;

let root: string;
before(async () => void (root = await mkdtemp(join(tmpdir(), "drover-figures-"))));
after(() => rm(root, { recursive: true }));

function sample(name: string, kind: Sample["kind"], labels: Sample["labels"], value: number): Sample {
  return { name, kind, labels, value, key: keyOf({ name, labels }) };
}

/** What app `x` of space `a` is told to use and to have served at a moment. */
const figuresAt = (value: number): Sample[] => [
  sample("drover_used", "gauge", { space: "a", app: "x" }, value),
  sample("drover_served_total", "counter", { space: "a", app: "x" }, 10 * value),
  sample("drover_served_total", "counter", { space: "a", app: "y" }, 7),
];

interface Rig {
  readonly folder: string;
  readonly clock: VirtualClock;
  readonly logged: string[];
  open(): Promise<FigureStore>;
}

async function rig(): Promise<Rig> {
  const folder = await mkdtemp(join(root, "store-"));
  const clock = new VirtualClock(startMs);
  const logged: string[] = [];
  const log = createLog({ print: (line) => logged.push(line), nowMs: () => 0 });
  return { folder, clock, logged, open: () => FigureStore.open({ folder, clock, log }) };
}

/** Samples for so long, one each `everyMs`; the n-th has the value n. */
async function follow(store: FigureStore, clock: VirtualClock, forMs: number, everyMs = finest.stepMs, from = 0): Promise<number> {
  let n = from;
  for (let passedMs = 0; passedMs < forMs; passedMs += everyMs) {
    await store.append(clock.nowMs(), figuresAt(n++));
    await clock.advance(everyMs);
  }
  return n;
}

async function read(store: FigureStore, name = "drover_used", fromMs = 0, toMs = Number.MAX_SAFE_INTEGER, app = "x") {
  const found: (readonly [number, number])[] = [];
  const selection = {
    name,
    scope: `a/${app}`,
    isWanted: ({ labels }: { labels: Sample["labels"] }) => labels["app"] === app,
    fromMs,
    toMs,
  };
  for await (const { times, values } of store.read(selection))
    for (const [i, atMs] of times.entries()) if (!Number.isNaN(values[i] as number)) found.push([atMs, values[i] as number]);
  return found;
}

const expected = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => [startMs + (from + i) * finest.stepMs, from + i] as const);

test("what was told comes back, out of memory and out of blocks, and again after a restart that nobody announced", async () => {
  const { clock, open } = await rig();
  const store = await open();
  await follow(store, clock, 75 * minuteMs);
  assert.deepEqual(await read(store), expected(300));
  const again = await open();
  assert.deepEqual(await read(again), expected(300));
  await follow(again, clock, 30 * minuteMs, finest.stepMs, 300);
  assert.deepEqual(await read(again), expected(420));
  assert.deepEqual((await read(again, "drover_served_total", 0, Number.MAX_SAFE_INTEGER, "y")).length, 420);
  assert.deepEqual(
    [...again.names(0)],
    [
      ["drover_served_total", "counter"],
      ["drover_used", "gauge"],
    ],
  );
  await store.close();
  await again.close();
});

test("a journal that was cut off anywhere, or has rubbish at its end, loses its last moments and nothing else", async () => {
  const { folder, clock, open } = await rig();
  const store = await open();
  await follow(store, clock, 5 * minuteMs);
  await store.close();
  const file = join(folder, "open.journal");
  const whole = await readFile(file);
  for (const cut of [1, 9, Math.floor(whole.length / 2), whole.length - 3]) {
    await writeFile(file, whole);
    await truncate(file, whole.length - cut);
    const torn = await open();
    const left = await read(torn);
    assert.ok(left.length < 20);
    assert.deepEqual(left, expected(left.length));
    await torn.close();
  }
  await writeFile(file, whole);
  await appendFile(file, Buffer.alloc(100, 7));
  const torn = await open();
  await follow(torn, clock, minuteMs, finest.stepMs, 20);
  await torn.close();
  const again = await open();
  assert.deepEqual(await read(again), expected(24));
  await again.close();
});

test("series that came while the disk was full are told apart from later ones after a restart", async (t) => {
  const { folder, clock, open } = await rig();
  const store = await open();
  const tell = async (...apps: readonly string[]) => {
    await store.append(
      clock.nowMs(),
      apps.map((app, i) => sample("drover_used", "gauge", { space: "a", app }, i + 1)),
    );
    await clock.advance(finest.stepMs);
  };
  await tell("x");
  const file = await openFile(join(folder, "open.journal"));
  const full = t.mock.method(Object.getPrototypeOf(file), "write", () => Promise.reject(new Error("ENOSPC: no space left on device")));
  await tell("x", "y");
  full.mock.restore();
  await file.close();
  assert.match(store.state.failure ?? "", /no space left/);
  await tell("x", "y", "z");
  assert.equal(store.state.failure, null);
  await store.close();

  const again = await open();
  const values = async (app: string) => (await read(again, "drover_used", 0, Number.MAX_SAFE_INTEGER, app)).map(([, value]) => value);
  assert.deepEqual([await values("x"), await values("y"), await values("z")], [[1, 1], [2], [3]]);
  await again.close();
});

test("where a block cannot be written its half hour is given up, and what comes is followed", async () => {
  const { folder, clock, logged, open } = await rig();
  const store = await open();
  const count = await follow(store, clock, finest.blockMs);
  await rm(folder, { recursive: true });
  await follow(store, clock, 2 * finest.stepMs, finest.stepMs, count);
  assert.match(logged.join("\n"), /half an hour of figures is given up/);
  assert.deepEqual(await read(store, "drover_used", startMs + finest.blockMs), expected(2, count));
  await store.close();
});

test("a damaged block is named and left out, and the others answer", async () => {
  const { folder, clock, logged, open } = await rig();
  const store = await open();
  await follow(store, clock, 95 * minuteMs);
  await store.close();
  const [first = "", second = ""] = (await readdir(folder)).filter((name) => name.endsWith(".block")).sort();
  const damage = async (name: string, at: number) => {
    const bytes = await readFile(join(folder, name));
    bytes[at < 0 ? bytes.length + at : at] = 255 - (bytes[at < 0 ? bytes.length + at : at] ?? 0);
    await writeFile(join(folder, name), bytes);
  };
  await damage(first, -30);
  await damage(second, 5);
  const again = await open();
  assert.deepEqual(again.state.damaged, [join(folder, first)]);
  const served = await read(again, "drover_served_total");
  assert.deepEqual(served.at(0), [startMs + 60 * minuteMs, 2_400]);
  assert.equal(served.length, 140);
  assert.deepEqual(again.state.damaged, [join(folder, first), join(folder, second)]);
  assert.ok(logged.some((line) => line.includes(first)) && logged.some((line) => line.includes(second)));
  assert.equal((await read(again)).length, 260);
  await again.close();
});

test("figures become coarser with age and then go: a counter keeps its last value, a gauge its average", async () => {
  const { folder, clock, open } = await rig();
  const store = await open();
  // A day at the finest step, then few enough to let the time pass.
  await follow(store, clock, 27 * 60 * minuteMs, minuteMs);
  const old = await read(store, "drover_used", startMs, startMs + 59 * minuteMs);
  assert.deepEqual(old.slice(0, 2), [
    [startMs + 45_000, 0],
    [startMs + 105_000, 1],
  ]);
  await follow(store, clock, 4 * dayMs, 30 * minuteMs, 2_000);
  const coarse = await read(store, "drover_used", startMs, startMs + 11 * minuteMs);
  assert.deepEqual(coarse.slice(0, 3), [
    [startMs + 285_000, 2],
    [startMs + 585_000, 7],
    [startMs + 885_000, 12],
  ]);
  const counted = await read(store, "drover_served_total", startMs, startMs + 9 * minuteMs);
  assert.deepEqual(counted.slice(0, 2), [
    [startMs + 285_000, 40],
    [startMs + 585_000, 90],
  ]);
  await follow(store, clock, 13 * dayMs, 60 * minuteMs, 3_000);
  assert.deepEqual(await read(store, "drover_used", 0, startMs + dayMs), []);
  assert.ok((store.state.oldestMs ?? 0) > clock.nowMs() - 16 * dayMs);
  assert.ok((await readdir(folder)).length < 250);
  await store.close();
});

test("a clock that is set back begins a block of its own, and nothing of before is lost", async () => {
  const { clock, open } = await rig();
  const store = await open();
  await follow(store, clock, 10 * minuteMs);
  clock.jump(-8 * minuteMs);
  await follow(store, clock, 20 * minuteMs, finest.stepMs, 1_000);
  const found = await read(store);
  assert.deepEqual(found.slice(0, 40), expected(40));
  assert.equal(found.length, 40 + 80);
  await store.append(clock.nowMs(), figuresAt(1));
  await store.append(clock.nowMs() + 1, figuresAt(2));
  assert.equal((await read(store)).length, 121);
  await store.close();
});

test("after a leap of the clock nothing is thrown away for an hour, so that a clock set wrongly takes no history along", async () => {
  const { clock, logged, open } = await rig();
  const store = await open();
  await follow(store, clock, 60 * minuteMs);
  clock.jump(365 * dayMs);
  await follow(store, clock, 45 * minuteMs);
  assert.ok(logged.some((line) => line.includes("the clock leaped")));
  assert.equal((await read(store, "drover_used", 0, startMs + dayMs)).length, 240);
  clock.jump(-365 * dayMs);
  await follow(store, clock, 90 * minuteMs);
  assert.equal((await read(store, "drover_used", 0, startMs + 59 * minuteMs)).length, 240);
  await store.close();
});

test("series beyond the limits have no place, and those of one app leave places for others", async () => {
  const { folder, clock } = await rig();
  const log = createLog({ print: () => {}, nowMs: () => 0 });
  const store = await FigureStore.open({ folder, clock, log, limits: { series: 8, ofApps: 5, ofApp: 3 } });
  const told = (app: string, count: number) =>
    Array.from({ length: count }, (_, i) => sample("orders", "gauge", { space: "a", app, n: String(i) }, i));
  await store.append(clock.nowMs(), [...told("x", 4), ...told("y", 4), ...figuresAt(1)]);
  assert.deepEqual([store.state.series, store.state.refused], [8, 3]);
  await store.close();
});

test("a counter that is new and stood at zero the last time grew by all that it counts; one of which that is not known only begins", async () => {
  const { clock, open } = await rig();
  const store = await open();
  const errors = (value: number, zeroAtMs?: number): Sample => ({
    ...sample("drover_errors", "counter", { space: "a", app: "x", at: `${zeroAtMs}` }, value),
    ...(zeroAtMs === undefined ? {} : { zeroAtMs }),
  });
  const everyMs = finest.stepMs;
  await store.append(startMs, figuresAt(0));
  const told = [errors(3, startMs + 200), errors(5), errors(7, startMs - 1), { ...errors(9, startMs + 1), kind: "gauge" as const }];
  await store.append(startMs + everyMs, told);
  const known = [
    [startMs, 0],
    [startMs + everyMs, 3],
    [startMs + everyMs, 5],
    [startMs + everyMs, 7],
    [startMs + everyMs, 9],
  ];
  assert.deepEqual(await read(store, "drover_errors"), known);
  await store.close();
  assert.deepEqual(await read(await open(), "drover_errors"), known, "out of the journal too");
  await clock.advance(1);
});

test("it is so where a block ends between the two moments, and what had no place then is not taken for new", async () => {
  const { folder, clock, logged } = await rig();
  const log = createLog({ print: (line) => logged.push(line), nowMs: () => 0 });
  const store = await FigureStore.open({ folder, clock, log, limits: { series: 4, ofApps: 4, ofApp: 4 } });
  const lastMs = startMs + finest.blockMs - finest.stepMs;
  const nextMs = lastMs + finest.stepMs;
  const counter = (app: string, value: number): Sample => ({
    ...sample("drover_errors", "counter", { space: "a", app }, value),
    zeroAtMs: lastMs,
  });
  const rows = (name: string) => [...store.recent(name)].map(({ values }) => [...values].filter((value) => !Number.isNaN(value)));
  await store.append(lastMs, figuresAt(1));
  await store.append(nextMs, [...figuresAt(2), counter("x", 3)]);
  assert.deepEqual(rows("drover_errors"), [[0], [3]]);
  await store.append(nextMs + finest.stepMs, [...figuresAt(3), counter("x", 4), counter("y", 50)]);
  await store.append(nextMs + finest.blockMs, [counter("x", 4), { ...counter("y", 51), zeroAtMs: nextMs + finest.stepMs }]);
  assert.deepEqual(rows("drover_errors"), [[3, 4], [4], [51]]);
});
