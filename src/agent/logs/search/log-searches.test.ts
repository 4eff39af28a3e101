import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, test } from "node:test";
import { systemClock } from "#host/clock.ts";
import type { Log } from "#model/log.ts";
import type { LogEvent, LogSearch, LogSearchAnswer } from "#model/log-event.ts";
import type { InstanceId, MachineId } from "#model/names.ts";
import { defaultLogRules } from "../log-rules.ts";
import { type LogStore, openLogStore } from "../log-store.ts";

const never = new AbortController().signal;
const web = "shop/api/web.1.aaaaa" as InstanceId;
const next = "shop/api/web.2.ddddd" as InstanceId;
const front = "shop/front/web.12.ccccc" as InstanceId;
const own = "drover/server/main.0.bbbbb" as InstanceId;
const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, with: () => silent };

let folder = "";
let store: LogStore;
let nowMs = 1_000_000;
const clock = { ...systemClock, nowMs: () => nowMs };
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-logs-"));
  nowMs = 1_000_000;
  store = await open();
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

function open(segmentBytes = 70_000): Promise<LogStore> {
  return openLogStore({ folder, machine: "m1" as MachineId, clock, log: silent, rules: { ...defaultLogRules, segmentBytes } }, never);
}

async function print(instance: InstanceId, text: string): Promise<void> {
  const source = new PassThrough();
  const { ended } = store.attach(instance, source);
  source.end(text);
  await ended;
}

function search(query: string, more: Partial<LogSearch> = {}): Promise<LogSearchAnswer> {
  const all: LogSearch = { of: [""], except: [], query, sinceMs: null, untilMs: null, before: null, limit: 1_000 };
  return store.searches.search({ ...all, ...more }, never);
}
const texts = (events: readonly LogEvent[]) => events.map(({ text }) => text);
/** Names of the app's segments by their form. */
async function segments(ending: string): Promise<readonly string[]> {
  return (await readdir(join(folder, "shop/api"))).filter((name) => name.endsWith(ending));
}

/** Enough lines for several segments, of which all but the newest are sealed once it resolves. */
async function fill(rounds = 40): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    nowMs += 1_000;
    const lines = Array.from(
      { length: 50 },
      (_, line) => `request ${round * 50 + line} GET /items/${(line * 7919) % 97} took ${line} ms ${"-".repeat(100)}`,
    );
    await print(web, `${lines.join("\n")}\n`);
  }
  while ((await segments(".log")).length > 1) await new Promise((resolve) => setTimeout(resolve, 5));
}

test("a word is found wherever it stands, in sealed and unsealed segments, newest first, in any case of its letters", async () => {
  await print(web, "the first Needle-7F3A9c here\n");
  await fill();
  nowMs += 1;
  await print(front, "and the last needle-7f3a9c\n");
  assert.ok((await segments(".seal")).length >= 3);
  const { events, hasMore, searchedToMs, damaged } = await search("NEEDLE-7f3a9c");
  assert.deepEqual(texts(events), ["and the last needle-7f3a9c", "the first Needle-7F3A9c here"]);
  assert.deepEqual([hasMore, searchedToMs, damaged], [false, null, []]);
  assert.deepEqual(
    events.map(({ machine, instance, sequence, atMs }) => [machine, instance, sequence, atMs]),
    [
      ["m1", front, 1, nowMs],
      ["m1", web, 1, 1_000_000],
    ],
  );
  assert.deepEqual(texts((await search("request GET -GET")).events), []);
});

test("scopes, times, fields, levels and OR choose events", async () => {
  await print(web, '{"level":"info","status":200,"trace":"4bf92f3577b34da6"}\n{"level":"error","status":503,"trace":"00f067aa0ba902b7"}\n');
  nowMs += 10;
  await print(next, "WARN slow status=404\nplain\n");
  nowMs += 10;
  await print(own, "own words\n");
  assert.equal((await search("")).events.length, 5);
  assert.equal((await search("", { except: ["drover/"] })).events.length, 4);
  assert.equal((await search("", { of: ["shop/front/", "drover/"] })).events.length, 1);
  assert.deepEqual(texts((await search("status>=400 status<500")).events), ["WARN slow status=404"]);
  assert.equal((await search("trace:00F067AA0BA902B7")).events[0]?.fields["status"], 503);
  assert.equal((await search("trace:00f067aa0ba902b")).events.length, 0);
  assert.deepEqual(
    (await search("level>=warn")).events.map(({ level }) => level),
    ["warn", "error"],
  );
  assert.equal((await search("plain OR own")).events.length, 2);
  assert.equal((await search("release:2")).events.length, 2);
  assert.equal((await search("", { sinceMs: 1_000_010, untilMs: 1_000_020 })).events.length, 2);
  await assert.rejects(search("level:loud"), { code: "LOG_QUERY_INVALID" });
});

test("pages follow each other without a gap or a double, also where many events are of one moment", async () => {
  await fill(20);
  const seen: number[] = [];
  let before: LogSearch["before"] = null;
  for (;;) {
    const { events, hasMore } = await search("", { limit: 130, before });
    seen.push(...events.map(({ sequence }) => sequence));
    before = events.at(-1) ?? null;
    if (!hasMore) break;
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 1_000 }, (_, index) => 1_000 - index),
  );
});

test("counts by time and level are the same from a segment's index as from its lines", async () => {
  await print(web, "ERROR one\n");
  await fill();
  const count = { of: [""], except: [], sinceMs: 1_000_000, untilMs: 1_000_000 + 41_000 };
  const whole = await store.searches.count({ ...count, query: "", bucketMs: 41_000 }, never);
  assert.deepEqual(whole.buckets, [[0, 0, 0, 0, 1, 0, 2_000]]);
  const fine = await store.searches.count({ ...count, query: "", bucketMs: 1_000 }, never);
  assert.equal(fine.buckets.length, 41);
  assert.deepEqual(fine.buckets[7], [0, 0, 0, 0, 0, 0, 50]);
  const some = await store.searches.count({ ...count, query: '"request 7" GET', bucketMs: 10_000 }, never);
  assert.deepEqual(
    some.buckets.map((levels) => levels.at(-1)),
    [11, 100, 0, 0, 0],
  );
});

test("what is not shown is not found: neither searches nor counts tell whether a guess of it stands there", async () => {
  const masks = { shop: ["hunter2-hunter2"] };
  await print(
    web,
    'login with hunter2-hunter2 failed\n{"level":"info","password":"hunter2-hunter2","user":"ann"}\nkey=hunter2-hunter2\nplain\n',
  );
  await fill();
  const lines = (query: string) =>
    search(query, { masks }).then(({ events }) => events.map(({ sequence }) => sequence).filter((one) => one <= 4));
  for (const guess of ["hunter2-hunter2", '"with hunter2"', "password:hunter2-hunter2", "key:hunter2*"]) {
    assert.deepEqual(await lines(guess), [], guess);
    const count = { of: [""], except: [], query: guess, sinceMs: 0, untilMs: nowMs + 1, bucketMs: nowMs + 1, masks };
    assert.equal(
      (await store.searches.count(count, never)).buckets.flat().reduce((sum, one) => sum + one),
      0,
      guess,
    );
  }
  assert.deepEqual(await lines("-hunter2 -request"), [4, 3, 2, 1], "nor by what is left out");
  assert.deepEqual(await lines('"with ******"'), [1]);
  assert.deepEqual(await lines("password:****** user:ann"), [2]);
  assert.deepEqual((await search("login", { masks })).events[0]?.text, "login with ****** failed");
  assert.equal((await search("hunter2-hunter2", { masks: { front: ["hunter2-hunter2"] } })).events.length, 3, "it is the space's alone");
  const query = { prefix: "shop/api/", instance: null, tail: 10, sinceMs: null, follow: false, masks };
  const grep = async (contains: string) => {
    const found: string[] = [];
    for await (const { text } of store.query({ ...query, contains }, never)) found.push(text);
    return found.length;
  };
  assert.deepEqual([await grep("hunter2"), await grep("login with"), await grep("with ****")], [0, 1, 1]);
});

test("a stack trace is one event, of whatever language, and what stands around it is not of it", async () => {
  const traces = [
    "Error: broken\n    at main (file.js:1:2)\n    at node:internal/x:3 {\n  code: 'X'\n}",
    'Exception in thread "main" java.lang.RuntimeException: a\n\tat A.b(A.java:1)\nCaused by: java.io.IOException: c\n\t... 3 more',
    'ERROR:root:failed\nTraceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\nValueError: no',
    "panic: runtime error: index out of range\n\ngoroutine 1 [running]:\nmain.f(...)\n\t/app/main.go:5 +0x1d",
  ];
  await print(web, traces.map((trace) => `before\n${trace}\nafter\n`).join(""));
  const { events } = await search("");
  assert.deepEqual(
    texts(events).reverse(),
    traces.flatMap((trace) => ["before", trace, "after"]),
  );
  assert.ok(events.filter(({ lines }) => lines > 1).every(({ level }) => level === "error" || level === "fatal"));
  assert.equal((await search("ValueError")).events[0]?.lines, 5);
});

test("a stack trace that fills up a segment stays one event", async () => {
  await fill(9);
  const source = new PassThrough();
  const { ended } = store.attach(web, source);
  for (let part = 0; part < 120; part++) {
    source.write(`${part % 40 === 0 ? `Error: number ${part}\n` : ""}    at part ${part} ${"-".repeat(200)}\n`);
    await store.last(web, 1, never);
  }
  source.end();
  await ended;
  const { events } = await search("", { limit: 3 });
  assert.deepEqual(
    events.map(({ lines }) => lines),
    [41, 41, 41],
  );
});

test("what stands around a hit is told in its place", async () => {
  await fill(10);
  const { events } = await store.searches.context({ instance: web, sequence: 250, before: 2, after: 1 }, never);
  assert.deepEqual(
    events.map(({ sequence }) => sequence),
    [248, 249, 250, 251],
  );
  const first = await store.searches.context({ instance: web, sequence: 1, before: 5, after: 0 }, never);
  assert.deepEqual(
    first.events.map(({ sequence }) => sequence),
    [1],
  );
});

test("matching events are told as they come, a trace that comes in parts as one", async () => {
  const stop = new AbortController();
  const seen: string[] = [];
  const following = (async () => {
    for await (const event of store.searches.tail({ of: ["shop/"], except: [], query: "-noise" }, stop.signal)) {
      seen.push(event.text);
      if (seen.length === 2) stop.abort();
    }
  })();
  const source = new PassThrough();
  const { ended } = store.attach(web, source);
  source.write("noise\nTraceback (most recent call last):\n");
  source.write('  File "a.py"\n');
  source.end("ValueError: no\nlast\n");
  await Promise.all([ended, following]);
  assert.deepEqual(seen, ['Traceback (most recent call last):\n  File "a.py"\nValueError: no', "last"]);
});

test("a tail finds nothing of what became a secret while it was followed", async () => {
  const stop = new AbortController();
  const seen: string[] = [];
  const { searches } = store;
  const telling = searches.tail({ of: ["shop/"], except: [], query: "s3cret OR end", reader: "r1" }, stop.signal);
  const following = (async () => {
    for await (const event of telling) {
      seen.push(event.text);
      if (event.text === "s3cret.value before") {
        assert.equal(searches.remask({ reader: "r1", masks: { shop: ["s3cret.value"] } }), true);
        await print(web, "s3cret.value after\nend\n");
      } else stop.abort();
    }
  })();
  await print(web, "s3cret.value before\n");
  await following;
  assert.deepEqual(seen, ["s3cret.value before", "end"]);
  assert.equal(searches.remask({ reader: "r1", masks: {} }), false);
});

test("a damaged segment is named and passed over, and the others are searched", async () => {
  await fill();
  await store.close();
  const [first = ""] = await segments(".seal");
  const file = join(folder, "shop/api", first);
  const bytes = await readFile(file);
  bytes.fill(0xff, bytes.length - 500);
  await writeFile(file, bytes);
  store = await open();
  const { events, damaged } = await search("request", { limit: 5_000 });
  assert.deepEqual(damaged, [file]);
  assert.ok(events.length > 500 && (events.at(-1)?.sequence ?? 0) > 1);
});

test("plain segments that are found at the start are read, and sealed in the background", async () => {
  await fill(4);
  await store.close();
  store = await open(500);
  await print(web, "one more\n");
  while ((await segments(".log")).length > 1) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal((await search("")).events.length, 201);
});
