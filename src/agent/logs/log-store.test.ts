import assert from "node:assert/strict";
import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, test } from "node:test";
import { systemClock } from "#host/clock.ts";
import type { Clock } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { AppId, InstanceId, MachineId } from "#model/names.ts";
import type { LogLine, LogQuery } from "#model/workload.ts";
import { defaultLogRules, type LogRules } from "./log-rules.ts";
import { type LogStore, openLogStore } from "./log-store.ts";

const never = new AbortController().signal;
const web = "shop/api/web.1.aaaaa" as InstanceId;
const worker = "shop/api/worker.1.bbbbb" as InstanceId;
const other = "shop/front/web.12.ccccc" as InstanceId;
const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, with: () => silent };

let folder = "";
let store: LogStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-logs-"));
  store = await open();
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

function open(rules: Partial<LogRules> = {}, clock: Clock = systemClock): Promise<LogStore> {
  return openLogStore(
    { folder: join(folder, "logs"), machine: "m1" as MachineId, clock, log: silent, rules: { ...defaultLogRules, ...rules } },
    never,
  );
}

async function reopen(rules: Partial<LogRules> = {}, clock: Clock = systemClock): Promise<void> {
  await store.close();
  store = await open(rules, clock);
}

/** Prints all of `chunks` as one run of an instance, to its end. */
async function print(instance: InstanceId, ...chunks: readonly (string | Buffer)[]): Promise<void> {
  const source = new PassThrough();
  const { ended } = store.attach(instance, source);
  for (const chunk of chunks) if (!source.write(chunk)) await new Promise((resolve) => source.once("drain", resolve));
  source.end();
  await ended;
}

async function read(query: Partial<LogQuery> = {}): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for await (const line of store.query(
    { prefix: "", instance: null, tail: 10_000, sinceMs: null, follow: false, contains: null, ...query },
    never,
  ))
    lines.push(line);
  return lines;
}
const texts = (lines: readonly LogLine[]) => lines.map(({ text }) => text);
const numbered = (count: number, from = 1) => Array.from({ length: count }, (_, index) => `line ${from + index}\n`).join("");

test("lines are kept in order, numbered from one, with the time of their reading", async () => {
  const beforeMs = Date.now();
  await print(web, "one\ntwo\n", "three\n");
  const lines = await read();
  assert.deepEqual(texts(lines), ["one", "two", "three"]);
  assert.deepEqual(
    lines.map(({ sequence, source, instance }) => [sequence, source, instance]),
    [1, 2, 3].map((number) => [number, "app", web]),
  );
  assert.ok(lines.every(({ atMs }) => atMs >= beforeMs && atMs <= Date.now()));
});

test("numbers go on when the instance attaches again and when the agent starts again", async () => {
  await print(web, "one\n");
  await print(web, "two\n");
  await reopen();
  await print(web, "three\n");
  assert.deepEqual(
    (await read()).map(({ sequence, text }) => [sequence, text]),
    [
      [1, "one"],
      [2, "two"],
      [3, "three"],
    ],
  );
});

test("one byte a write makes the same lines", async () => {
  await print(
    web,
    ...Buffer.from("añ\n\nlast")
      .toString("latin1")
      .split("")
      .map((byte) => Buffer.from(byte, "latin1")),
  );
  assert.deepEqual(texts(await read()), ["añ", "", "last"]);
});

test("binary and invalid UTF-8 pass unharmed beside other lines", async () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 10));
  await print(web, "before\n", bytes, "\n\xe2\x82\nafter\n");
  assert.deepEqual(texts(await read()), ["before", bytes.toString("utf8"), "\xe2\x82", "after"]);
});

test("a line that has begun is shown after a silence, and its rest is a line of its own", async () => {
  const source = new PassThrough();
  const { ended } = store.attach(web, source);
  source.write("Password: ");
  const stop = new AbortController();
  for await (const line of store.query({ prefix: "", instance: web, tail: 10, sinceMs: null, follow: true, contains: null }, stop.signal)) {
    assert.equal(line.text, "Password: ");
    stop.abort();
  }
  source.end("ok\n");
  await ended;
  assert.deepEqual(texts(await read()), ["Password: ", "ok"]);
});

test("a line without an end is cut, its cut is told in place, and what follows is whole", async () => {
  const block = Buffer.alloc(65_536, "x");
  await print(web, "before\n", ...Array.from({ length: 64 }, () => block), "\nafter\n");
  const lines = await read();
  assert.deepEqual(
    lines.map(({ source }) => source),
    ["app", "app", "drover", "app"],
  );
  assert.equal(lines[1]?.text, "x".repeat(16_384));
  assert.match(lines[2]?.text ?? "", new RegExp(`${64 * 65_536 - 16_384} bytes more were cut off`));
  assert.equal(lines[3]?.text, "after");
});

test("a flood of one app is cut: what is dropped is counted exactly, told in place, and other apps lose nothing", async () => {
  await reopen({ intake: { bytesPerSecond: 200_000, burstBytes: 300_000 } });
  const chunk = `${"x".repeat(99)}\n`.repeat(5_000);
  let printed = 0;
  const chunks: string[] = [];
  for (; printed < 300_000; printed += 5_000) chunks.push(chunk);
  await Promise.all([print(web, ...chunks), print(other, numbered(100))]);
  const stats = store.stats();
  assert.ok(stats.bytes < 1_000_000, `${stats.bytes} bytes on disk`);
  const lines = await read({ prefix: "shop/api/" });
  const notices = lines.filter(({ source }) => source === "drover");
  const dropped = notices.reduce((sum, { text }) => sum + Number(/^(\d+) lines? .*dropped/.exec(text)?.[1]), 0);
  const kept = lines.filter(({ source }) => source === "app").length;
  assert.equal(kept + dropped, printed);
  assert.equal((await read({ prefix: "shop/front/" })).length, 100);
});

test("tail, since, contains, one instance and prefixes choose lines", async () => {
  await print(web, numbered(20));
  await print(worker, "work 1\nwork 2\n");
  await print(other, "front\n");
  assert.deepEqual(texts(await read({ tail: 2 })), ["work 2", "front"]);
  assert.deepEqual(await read({ tail: 0 }), []);
  assert.deepEqual(texts(await read({ contains: "e 1" })), ["line 1", ...Array.from({ length: 10 }, (_, index) => `line ${index + 10}`)]);
  assert.deepEqual(texts(await read({ contains: "e 1", tail: 1 })), ["line 19"]);
  assert.deepEqual(texts(await read({ instance: worker })), ["work 1", "work 2"]);
  for (const [prefix, count] of [
    ["shop/", 23],
    ["shop/api/", 22],
    ["shop/api/web/", 20],
    ["shop/api/web/1", 20],
    ["shop/front/web/1", 0],
    ["shop/front/web/12", 1],
    [worker, 2],
    ["shop/ap", 0],
    ["sh", 0],
  ] as const)
    assert.equal((await read({ prefix })).length, count, prefix);
  assert.deepEqual(
    texts(await store.last(web, 10, never)),
    Array.from({ length: 10 }, (_, index) => `line ${index + 11}`),
  );
  assert.equal((await read({ sinceMs: Date.now() + 60_000 })).length, 0);
  assert.equal((await read({ sinceMs: Date.now() - 60_000 })).length, 23);
});

test("lines of many apps are merged in the order of time", async () => {
  let nowMs = 1_000;
  await reopen({}, { ...systemClock, nowMs: () => nowMs });
  for (let round = 0; round < 30; round++) {
    nowMs += 10;
    await print(round % 3 === 0 ? web : round % 3 === 1 ? other : worker, `${round}\n`);
  }
  assert.deepEqual(
    texts(await read()),
    Array.from({ length: 30 }, (_, round) => String(round)),
  );
  assert.deepEqual(texts(await read({ sinceMs: nowMs - 20 })), ["27", "28", "29"]);
});

test("following gives what was and what comes, each line once, and of instances that begin later", async () => {
  await print(web, numbered(3));
  const stop = new AbortController();
  const seen: string[] = [];
  const following = (async () => {
    for await (const line of store.query(
      { prefix: "shop/", instance: null, tail: 2, sinceMs: null, follow: true, contains: null },
      stop.signal,
    )) {
      seen.push(`${line.instance} ${line.sequence}`);
      if (seen.length === 2) void print(web, numbered(2)).then(() => print(other, "new app\n"));
      if (seen.length === 5) stop.abort();
    }
  })();
  await following;
  assert.deepEqual(seen, [`${web} 2`, `${web} 3`, `${web} 4`, `${web} 5`, `${other} 1`]);
});

test("a reader that is slower than the app is told how many lines it missed", async () => {
  const stop = new AbortController();
  const lines = store
    .query({ prefix: "", instance: null, tail: 1, sinceMs: null, follow: true, contains: null }, stop.signal)
    [Symbol.asyncIterator]();
  await print(web, "first\n");
  await lines.next();
  const count = 80_000;
  await print(web, ...Array.from({ length: count / 1_000 }, () => `${"x".repeat(99)}\n`.repeat(1_000)));
  let seen = 0;
  let skipped = 0;
  while (seen + skipped < count) {
    const { value } = await lines.next();
    if (value?.source === "drover") skipped += Number(/^(\d+) lines skipped/.exec(value.text)?.[1]);
    else seen++;
  }
  assert.ok(skipped > 0 && seen > 0);
  assert.equal(seen + skipped, count);
  stop.abort();
  assert.equal((await lines.next()).done, true);
});

test("what a crash left half-written is cut off, and logging goes on after it", async () => {
  await print(web, numbered(5));
  const file = join(folder, "logs/shop/api/00000001.log");
  const { size } = await stat(file);
  const whole = await readFile(file);
  for (const cut of [0, 1, 7, 8, 29, 40, size - 1]) {
    await store.close();
    await rm(join(folder, "logs/closed"));
    await writeFile(file, whole);
    await appendFile(file, whole.subarray(0, cut));
    store = await open();
    await print(web, "after\n");
    const lines = await read();
    assert.deepEqual(
      texts(lines).filter((text) => text.startsWith("line")),
      numbered(5).trim().split("\n"),
      `cut at ${cut}`,
    );
    assert.match(lines.at(-2)?.text ?? "", /the agent was killed here/);
    assert.deepEqual([lines.at(-1)?.text, lines.at(-1)?.sequence], ["after", 7]);
  }
});

test("lines that damage took show as a gap, not as nothing, and those after them are kept", async () => {
  for (let round = 0; round < 4; round++) await print(web, numbered(2, 2 * round + 1));
  const file = join(folder, "logs/shop/api/00000001.log");
  await store.close();
  const bytes = await readFile(file);
  bytes.write("!", bytes.indexOf("line 3"));
  await writeFile(file, bytes);
  store = await open();
  assert.deepEqual(texts(await read()), ["line 1", "line 2", "2 lines are missing here", ...numbered(4, 5).trim().split("\n")]);
});

test("the oldest lines go when an app is over its bound, and that is told and counted", async () => {
  const rules = { segmentBytes: 10_000, appBytes: 30_000 };
  await reopen(rules);
  for (let round = 0; round < 100; round++) await print(web, numbered(100, 100 * round + 1));
  await reopen(rules);
  const lines = await read();
  const first = lines[1]?.sequence ?? 0;
  assert.match(lines[0]?.text ?? "", new RegExp(`^${first - 1} earlier lines are no longer kept$`));
  assert.equal(lines.at(-1)?.text, "line 10000");
  assert.deepEqual(
    lines.slice(1).map(({ sequence }) => sequence),
    Array.from({ length: 10_001 - first }, (_, index) => first + index),
  );
  const { bytes, expiredLines } = store.stats();
  assert.ok(bytes <= 40_000, `${bytes}`);
  assert.equal(expiredLines, first - 1);
});

test("a space that says how long keeps its lines so, whatever another one prints, and also after a restart", async () => {
  let nowMs = 1_000_000;
  const clock = { ...systemClock, nowMs: () => nowMs };
  const rules = { segmentBytes: 10_000, totalBytes: 100_000 };
  const quiet = "calm/app/web.1.ddddd" as InstanceId;
  await reopen(rules, clock);
  await store.keep({ shop: { ageMs: null, bytes: 40_000 }, calm: { ageMs: 60_000, bytes: null } });
  for (let round = 0; round < 20; round++) await print(quiet, numbered(100));
  for (let round = 0; round < 60; round++) {
    await print(web, numbered(100));
    await print(other, numbered(100));
  }
  await reopen(rules, clock);
  const kept = Object.fromEntries((await store.kept()).apps.map((one) => [one.app, one]));
  assert.ok((kept["shop/api"]?.bytes ?? 0) + (kept["shop/front"]?.bytes ?? 0) <= 60_000, JSON.stringify(kept));
  assert.deepEqual([kept["calm/app"]?.lines, kept["calm/app"]?.sinceMs, kept["calm/app"]?.expiredLines], [2_000, 1_000_000, 0]);
  assert.ok((kept["shop/front"]?.expiredLines ?? 0) > 0);
  nowMs += 60_001;
  await store.keep({ calm: { ageMs: 60_000, bytes: null } });
  const after = new Map((await store.kept()).apps.map((one) => [one.app, one]));
  assert.ok((after.get("calm/app")?.expiredLines ?? 0) > 0, "but for the segment that is written to, they are past their age");
  assert.deepEqual(after.get("shop/api"), kept["shop/api"], "another space's age is not theirs");
});

test("of all together, the space that has most gives, and of a space the app that has most", async () => {
  const rules = { segmentBytes: 10_000, totalBytes: 45_000 };
  const quiet = "calm/app/web.1.ddddd" as InstanceId;
  await reopen(rules);
  for (const instance of [quiet, other]) for (let round = 0; round < 15; round++) await print(instance, numbered(100));
  for (let round = 0; round < 120; round++) await print(web, numbered(100));
  await reopen(rules);
  const kept = Object.fromEntries((await store.kept()).apps.map((one) => [one.app, one.expiredLines]));
  assert.deepEqual([kept["calm/app"], kept["shop/front"]], [0, 0]);
  assert.ok((kept["shop/api"] ?? 0) > 0 && store.stats().bytes <= 55_000);
});

test("what is no instance is recorded under a name of its own, and left out where only an app's instances are wanted", async () => {
  const build = await store.record("shop/api/_build.0.bbbbb" as InstanceId);
  build.notice("npm ci");
  await build.write(Buffer.from("added 12 pack"));
  await build.write(Buffer.from("ages\nlast words"));
  await build.end();
  await print(web, "from the app\n");
  assert.deepEqual(texts(await read()), ["npm ci", "added 12 packages", "last words", "from the app"]);
  assert.deepEqual(texts(await read({ prefix: "shop/api/", kinds: ["app", "before"] })), ["from the app"]);
});

test("an instance whose lines are all gone goes on with its numbers", async () => {
  const rules = { segmentBytes: 2_000, appBytes: 4_000 };
  await reopen(rules);
  await print(worker, numbered(3));
  for (let round = 0; round < 20; round++) await print(web, numbered(100));
  await reopen(rules);
  await print(worker, "again\n");
  assert.deepEqual(
    (await read({ instance: worker })).map(({ sequence, text }) => [sequence, text]),
    [
      [3, "3 earlier lines are no longer kept"],
      [4, "again"],
    ],
  );
});

test("what was printed while the agent was away is taken in before what comes now", async () => {
  await print(web, "before\n");
  const file = join(folder, "spill");
  await writeFile(file, `${numbered(1_000)}cut in the mid`);
  await store.attachSpill(web, file, 12_345, never);
  await print(web, "after\n");
  const lines = await read();
  assert.equal(lines.length, 1 + 1_000 + 1 + 1 + 1);
  assert.deepEqual(texts(lines.slice(-3)), [
    "cut in the mid",
    "12345 bytes dropped: the app printed more while the agent was away than is kept meanwhile",
    "after",
  ]);
  await store.attachSpill(web, join(folder, "none"), 0, never);
  assert.equal((await read()).length, lines.length);
});

test("notices stand in place", async () => {
  await print(web, "one\n");
  await store.notice(web, "restarted\nfor a test");
  await print(web, "two\n");
  assert.deepEqual(
    (await read()).map(({ source, text }) => [source, text]),
    [
      ["app", "one"],
      ["drover", "restarted for a test"],
      ["app", "two"],
    ],
  );
});

test("a notice has the level that it was given, and is a warning without one", async () => {
  await store.notice(web, "as ordered", "info");
  await store.notice(web, "by itself");
  const search = { of: [""], except: [], query: "source:drover", sinceMs: null, untilMs: null, before: null, limit: 10 };
  const { events } = await store.searches.search(search, never);
  assert.deepEqual(
    events.map(({ text, level }) => [text, level]),
    [
      ["by itself", "warn"],
      ["as ordered", "info"],
    ],
  );
});

test("a destroyed app leaves nothing, and others keep theirs", async () => {
  await print(web, "one\n");
  await print(other, "two\n");
  await store.forget("shop/api" as AppId);
  assert.deepEqual(texts(await read()), ["two"]);
  assert.deepEqual(await readdir(join(folder, "logs/shop")), ["front"]);
});

test("what cannot be written is dropped and counted, and logging goes on by itself", async () => {
  await print(web, "one\n");
  const appFolder = join(folder, "logs/shop/front");
  await writeFile(appFolder, "in the way");
  await print(other, numbered(10));
  await rm(appFolder);
  const stop = new AbortController();
  const seen: string[] = [];
  for await (const line of store.query(
    { prefix: "", instance: other, tail: 10, sinceMs: null, follow: true, contains: null },
    stop.signal,
  )) {
    seen.push(line.text);
    stop.abort();
  }
  assert.deepEqual(texts(await read({ instance: web })), ["one"]);
  assert.match(seen[0] ?? "", /^10 lines \(\d+ bytes\) dropped: the disk/);
});
