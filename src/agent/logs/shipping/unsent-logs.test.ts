import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, test } from "node:test";
import { systemClock } from "#host/clock.ts";
import type { Clock } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { LogPlaces, UnsentBatch, UnsentRead } from "#model/log-shipping.ts";
import type { AppId, InstanceId, MachineId } from "#model/names.ts";
import { defaultLogRules } from "../log-rules.ts";
import { type LogStore, openLogStore } from "../log-store.ts";

const never = new AbortController().signal;
const web = "shop/api/web.1.aaaaa" as InstanceId;
const other = "shop/front/web.1.bbbbb" as InstanceId;
const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, with: () => silent };

/** As many seconds ahead of the lines as a test wants, because the youngest are held back. */
let aheadMs = 0;
const clock: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
let folder = "";
let store: LogStore;

beforeEach(async () => {
  aheadMs = 0;
  folder = await mkdtemp(join(tmpdir(), "drover-unsent-"));
  store = await open();
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

function open(rules: Partial<typeof defaultLogRules> = {}): Promise<LogStore> {
  const of = { ...defaultLogRules, segmentBytes: 4_096, ...rules };
  return openLogStore({ folder: join(folder, "logs"), machine: "m1" as MachineId, clock, log: silent, rules: of }, never);
}

async function print(instance: InstanceId, text: string): Promise<void> {
  const source = new PassThrough();
  const { ended } = store.attach(instance, source);
  source.end(text);
  await ended;
}

const numbered = (count: number, from = 1) => Array.from({ length: count }, (_, index) => `line ${from + index}\n`).join("");
const texts = ({ events }: UnsentBatch) => events.map(({ text }) => text);

async function readOn(places: LogPlaces, more: Partial<UnsentRead> = {}): Promise<UnsentBatch> {
  aheadMs = 2_000;
  const scope = { of: ["shop/"], except: [] };
  return (await store.unsent()).read({ ...scope, places, sinceMs: 0, query: "", after: null, limitBytes: 1_000, ...more }, never);
}

/** Reads to the end, in steps, and starts the store anew after each where `between` says so. */
async function readAll(places: LogPlaces = {}, more: Partial<UnsentRead> = {}, between = async () => {}) {
  const all: string[] = [];
  let [known, lost] = [places, 0];
  for (;;) {
    const batch = await readOn(known, more);
    if (Object.keys(batch.places).length === 0) return { all, places: known, lost };
    all.push(...texts(batch));
    lost += batch.lostLines;
    known = { ...known, ...batch.places };
    await between();
  }
}

test("every line is read once, over segments that were sealed or not, whoever restarts in between", async () => {
  for (let part = 0; part < 10; part++) await print(web, numbered(100, part * 100 + 1));
  const read = await readAll({}, {}, async () => {
    await store.close();
    store = await open();
  });
  assert.deepEqual(read.all.join("\n"), numbered(1_000).trimEnd());
  assert.equal(read.lost, 0);
  await print(web, "after\n");
  assert.deepEqual((await readAll(read.places)).all, ["after"]);
});

test("several apps have turns, and only what matches and is meant is given", async () => {
  await print(web, numbered(300));
  await print(other, numbered(300));
  const first = await readOn({});
  const second = await readOn({}, { after: first.last });
  const heard = [first, second].map(({ events }) => [...new Set(events.map(({ instance }) => instance))]);
  assert.deepEqual(heard, [[web], [other]], "one does not keep the other waiting");
  const { all } = await readAll({}, { query: '"line 30" instance:web.1.bbbbb', of: ["shop/front/"] });
  assert.deepEqual(all, ["line 30", "line 300"]);
});

test("without a place, lines begin at the moment that is asked for", async () => {
  await print(web, "early\n");
  const sinceMs = systemClock.nowMs() + 1;
  while (systemClock.nowMs() <= sinceMs);
  await print(web, "late\n");
  assert.deepEqual((await readAll({}, { sinceMs })).all, ["late"]);
});

test("what retention has removed before it was read is counted", async () => {
  await print(web, numbered(10));
  const { places } = await readAll();
  await store.close();
  store = await open({ appBytes: 8_192 });
  for (let part = 0; part < 40; part++) await print(web, numbered(100, 11 + part * 100));
  const { all, lost } = await readAll(places);
  assert.ok(lost > 0);
  assert.equal(all.length + lost, 4_000, "those that are gone and those that are there are all");
  assert.equal(all.at(-1), "line 4010");
});

test("lines of a damaged segment count as lost, and those after it are read", async () => {
  for (let part = 0; part < 5; part++) await print(web, numbered(200, part * 200 + 1));
  await store.close();
  const logs = join(folder, "logs", "shop", "api");
  const [, second = ""] = (await readdir(logs)).filter((name) => /^\d/.test(name)).sort();
  store = await open();
  await (await store.unsent()).read({ of: ["shop/"], except: [], places: {}, sinceMs: 0, query: "", after: null, limitBytes: 1 }, never);
  await writeFile(join(logs, second), Buffer.alloc(100));
  const { all, lost } = await readAll();
  assert.ok(lost > 0);
  assert.equal(all.length + lost, 1_000);
  assert.equal(all.at(-1), "line 1000");
});

test("an app of the same name that came after is read from its beginning", async () => {
  await print(web, numbered(5));
  const { places } = await readAll();
  await store.forget("shop/api" as AppId);
  await print("shop/api/web.1.zzzzz" as InstanceId, numbered(9).replaceAll("line", "anew"));
  const { all, lost } = await readAll(places);
  assert.deepEqual([all.length, all[0], lost], [9, "anew 1", 0]);
});

test("a stack trace is given whole, whatever the batch's size, and not before it can have ended", async () => {
  const trace = `Error: broken\n${Array.from({ length: 60 }, (_, line) => `    at somewhere (file.js:${line})\n`).join("")}`;
  await print(web, `${numbered(50)}${trace}`);
  await print(web, "after\n");
  const { all } = await readAll({}, { limitBytes: 100 });
  assert.equal(all.length, 52);
  assert.equal(all[50], trace.trimEnd());
  aheadMs = 0;
  await print(web, "young\n");
  const young = await (await store.unsent()).read(
    { of: ["shop/"], except: [], places: {}, sinceMs: systemClock.nowMs() - 1, query: "", after: null, limitBytes: 1_000 },
    never,
  );
  assert.deepEqual(
    texts(young).filter((text) => text === "young"),
    [],
  );
});

test("whoever waits is answered when something is printed, with how much is unread", async () => {
  const question = { of: ["shop/"], except: [], places: {}, sinceMs: 0 };
  assert.deepEqual(await (await store.unsent()).wait({ ...question, waitMs: 1 }, never), { lines: 0, bytes: 0, sinceMs: null });
  const waiting = (await store.unsent()).wait({ ...question, waitMs: 60_000 }, never);
  await print(web, numbered(3));
  const { lines, bytes } = await waiting;
  assert.equal(lines, 3);
  const { places } = await readAll();
  await print(web, numbered(2));
  const behind = await (await store.unsent()).wait({ ...question, places, waitMs: 60_000 }, never);
  assert.equal(behind.lines, 2);
  assert.ok(behind.bytes > 0 && behind.bytes <= bytes);
  assert.equal(behind.sinceMs, places["shop/api"]?.atMs);
  const declaredAtMs = (behind.sinceMs ?? 0) + 3_600_000;
  const later = await (await store.unsent()).wait({ ...question, places, sinceMs: declaredAtMs, waitMs: 1 }, never);
  assert.equal(later.sinceMs, declaredAtMs, "nobody is behind for longer than the destination is declared");
});

test("lines from before a destination was declared are not counted as unread, also where they share a segment with later ones", async () => {
  await print(web, numbered(20));
  await new Promise((resolve) => setTimeout(resolve, 5));
  const sinceMs = clock.nowMs();
  await new Promise((resolve) => setTimeout(resolve, 5));
  await print(web, numbered(2));
  const unsent = await store.unsent();
  const { lines, bytes } = await unsent.wait({ of: ["shop/"], except: [], places: {}, sinceMs, waitMs: 1 }, never);
  const all = await unsent.wait({ of: ["shop/"], except: [], places: {}, sinceMs: 0, waitMs: 1 }, never);
  assert.deepEqual([lines, all.lines], [2, 22]);
  assert.ok(bytes > 0 && bytes < all.bytes / 2);
});
