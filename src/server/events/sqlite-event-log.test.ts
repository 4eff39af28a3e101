import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createLog } from "#host/log.ts";
import type { Clock } from "#model/clock.ts";
import type { EventLog, EventQuery } from "./event-log.ts";
import { openEventLog } from "./sqlite-event-log.ts";

const clock: Clock = { nowMs: () => 1_000, monotonicMs: () => 0, sleep: async () => {} };
const log = createLog({ print: () => {}, nowMs: () => 0 });

async function folderFor(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "drover-events-"));
  context.after(() => rm(folder, { recursive: true }));
  return folder;
}

function openIn(context: TestContext, folder: string, keep?: number): EventLog {
  const events = openEventLog({ file: join(folder, "events.db"), clock, log, ...(keep === undefined ? {} : { keep }) });
  context.after(() => events.close());
  return events;
}

const messages = (events: EventLog, query: EventQuery = {}) => events.query(query).map(({ message }) => message);

async function take(followed: AsyncIterable<{ readonly message: string }>, count: number): Promise<string[]> {
  const taken: string[] = [];
  for await (const { message } of followed) if (taken.push(message) === count) break;
  return taken;
}

test("an event gets the next number and a time, and is found by space and app", async (t) => {
  const events = openIn(t, await folderFor(t));
  const first = events.append({ kind: "app.created", message: "one", space: "prod", app: "shop", details: { by: "me" } });
  events.append({ kind: "app.created", message: "two", space: "prod", app: "api" });
  events.append({ kind: "server.started", message: "three" });
  assert.deepEqual(first, {
    sequence: 1,
    atMs: 1_000,
    space: "prod",
    app: "shop",
    subject: null,
    kind: "app.created",
    message: "one",
    details: { by: "me" },
    by: null,
  });
  assert.deepEqual(events.query({ space: "prod", app: "shop" }), [first]);
  assert.deepEqual(messages(events, { space: "prod" }), ["one", "two"]);
  assert.deepEqual(messages(events, { limit: 2 }), ["two", "three"], "the latest, oldest first");
  assert.deepEqual(messages(events, { after: 2 }), ["three"]);
  assert.deepEqual(messages(events, { sinceMs: 1_001 }), []);
});

test("events outlive the process, and numbers go on", async (t) => {
  const folder = await folderFor(t);
  const before = openIn(t, folder);
  before.append({ kind: "a", message: "one" });
  await before.close();
  const after = openIn(t, folder);
  assert.equal(after.append({ kind: "a", message: "two" }).sequence, 2);
  assert.deepEqual(messages(after), ["one", "two"]);
});

test("a follower gets what it asks for from where it stopped, then what happens", async (t) => {
  const events = openIn(t, await folderFor(t));
  for (let n = 1; n <= 450; n++) events.append({ kind: "a", message: `${n}`, space: n % 2 === 0 ? "even" : "odd" });
  const taken = take(events.follow({ space: "even", after: 2 }, t.signal), 226);
  setImmediate(() => {
    events.append({ kind: "a", message: "other", space: "odd" });
    events.append({ kind: "a", message: "452", space: "even" });
    events.append({ kind: "a", message: "453", space: "even" });
  });
  const all = await taken;
  assert.deepEqual([all[0], all[223], all.at(-2), all.at(-1)], ["4", "450", "452", "453"]);
});

test("a follower without a place begins with what happens next, and ends with its signal", async (t) => {
  const events = openIn(t, await folderFor(t));
  events.append({ kind: "a", message: "before" });
  const stop = new AbortController();
  const seen: string[] = [];
  const following = (async () => {
    for await (const { message } of events.follow({}, stop.signal)) {
      seen.push(message);
      stop.abort();
    }
  })();
  events.append({ kind: "a", message: "after" });
  await following;
  assert.deepEqual(seen, ["after"]);
});

test("the oldest events go first, and a follower that needs them is told", async (t) => {
  const events = openIn(t, await folderFor(t), 10);
  for (let n = 1; n <= 100; n++) events.append({ kind: "a", message: `${n}` });
  assert.deepEqual(messages(events), ["91", "92", "93", "94", "95", "96", "97", "98", "99", "100"]);
  assert.throws(() => events.follow({ after: 50 }, t.signal), { code: "COMPACTED" });
  assert.throws(() => events.follow({ after: 101 }, t.signal), { code: "COMPACTED" }, "of another log");
  assert.deepEqual(await take(events.follow({ after: 90 }, t.signal), 1), ["91"]);
});

test("a damaged event log is put aside and a new one begun", async (t) => {
  const folder = await folderFor(t);
  await writeFile(join(folder, "events.db"), "this is no database at all, and long enough to be read as one".repeat(100));
  const events = openIn(t, folder);
  events.append({ kind: "a", message: "one" });
  assert.deepEqual(messages(events), ["one"]);
  assert.ok((await readdir(folder)).includes("events.db.damaged-1000"));
});

test("two openers of one event log cannot both have it", async (t) => {
  const folder = await folderFor(t);
  const events = openIn(t, folder);
  events.append({ kind: "a", message: "one" });
  assert.throws(() => openIn(t, folder), /locked/);
  assert.deepEqual(await readdir(folder).then((names) => names.filter((name) => name.includes("damaged"))), []);
  assert.deepEqual(messages(events), ["one"]);
});
