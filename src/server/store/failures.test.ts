import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createLog } from "#host/log.ts";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { hasCode } from "#model/errors.ts";
import { createStore } from "./core.ts";
import type { Journal, VersionRow } from "./journal.ts";
import { createMemoryJournal } from "./memory-journal.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import type { Store, Transaction } from "./store.ts";
import { Acknowledged } from "./testing/acknowledged.ts";
import { type Failure, failingDatabases } from "./testing/failing-database.ts";

const log = createLog({ print: () => {}, nowMs: () => 0 });
const SQLITE_IOERR_FSYNC = 1034;
const SQLITE_IOERR_WRITE = 778;
const SQLITE_FULL = 13;

async function folderFor(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "drover-failures-"));
  context.after(() => rm(folder, { recursive: true }));
  return folder;
}

const put = (key: string, value: string): Transaction["changes"][number] => ({ kind: "put", key, value: Buffer.from(value) });
const del = (key: string): Transaction["changes"][number] => ({ kind: "delete", key });
const content = (store: Store) => Object.fromEntries(store.list("").map(({ key, value }) => [key, Buffer.from(value).toString()]));

/** Some of everything: commits together and alone, a deletion, a compaction. Returns what the store must hold at least, and may hold at most. */
async function scenario(store: Store) {
  const sure: Record<string, string | null> = {};
  const unsure: Record<string, string | null>[] = [];
  const commit = async (...changes: Transaction["changes"]) => {
    const effect = Object.fromEntries(
      changes.map((change) => [change.key, change.kind === "put" ? Buffer.from(change.value).toString() : null]),
    );
    try {
      await store.commit({ changes });
      Object.assign(sure, effect);
    } catch (error) {
      if (!hasCode(error, "STORAGE_FULL")) unsure.push(effect);
    }
  };
  await commit(put("/a", "1"), put("/b", "1"));
  await Promise.all([commit(put("/c", "1"), put("/d", "1")), commit(put("/e", "1")), commit(del("/b"), put("/f", "1"))]);
  // It fails like the commits do, and changes nothing that is held.
  await store.compact(Math.min(2, store.revision)).catch(() => {});
  await commit(del("/a"), put("/c", "2"));
  await commit(put("/a", "2"));
  return { sure, unsure };
}

function checkContent(store: Store, { sure, unsure }: Awaited<ReturnType<typeof scenario>>, failure: unknown): void {
  const found = content(store);
  const applied = { ...sure };
  // What failed without a verdict is there as a whole or not at all.
  for (const effect of unsure)
    if (Object.entries(effect).every(([key, value]) => (found[key] ?? null) === value)) Object.assign(applied, effect);
  const expected = Object.fromEntries(Object.entries(applied).filter(([, value]) => value !== null));
  assert.deepEqual(found, expected, JSON.stringify(failure));
}

for (const { name, ...kind } of [
  { name: "a write that is not done", code: SQLITE_IOERR_WRITE, isDone: false },
  { name: "an fsync after a write that is done", code: SQLITE_IOERR_FSYNC, isDone: true },
  { name: "a full disk", code: SQLITE_FULL, isDone: false },
]) {
  test(`whichever call of SQLite fails (${name}), what was acknowledged is there and nothing by half`, async (t) => {
    let at = 1;
    for (; ; at++) {
      const failure: Failure = { at, ...kind };
      const folder = await folderFor(t);
      const { open, hasFailed } = failingDatabases(failure);
      const fatal: unknown[] = [];
      let outcome: Awaited<ReturnType<typeof scenario>> = { sure: {}, unsure: [] };
      try {
        const store = await openSqliteStore({
          folder,
          log,
          random: Math.random,
          reserveBytes: 256 * 1024,
          fatal: (error) => fatal.push(error),
          openDatabase: open,
        });
        outcome = await scenario(store);
        if (fatal.length > 0) await assert.rejects(store.commit({ changes: [put("/late", "1")] }), { code: "INTERNAL" });
        else checkContent(store, outcome, failure);
        await store.close();
      } catch (error) {
        assert.ok(hasCode(error, kind.code === SQLITE_FULL ? "STORAGE_FULL" : "ERR_SQLITE_ERROR"), `${JSON.stringify(failure)}: ${error}`);
      }
      assert.ok(kind.code !== SQLITE_FULL || fatal.length === 0, "a full disk is no reason to end");
      const again = await openSqliteStore({ folder, log, random: Math.random, reserveBytes: 256 * 1024, fatal: assert.ifError });
      checkContent(again, outcome, failure);
      await again.commit({ changes: [put("/after", "1")] });
      await again.close();
      if (!hasFailed()) break;
    }
    assert.ok(at > 20, `only ${at} calls were failed`);
  });
}

function failingJournal(journal: Journal, failure: (rows: readonly VersionRow[]) => Error | null): Journal {
  return {
    ...journal,
    get compactedRevision() {
      return journal.compactedRevision;
    },
    async append(rows, options) {
      const error = failure(rows);
      if (error !== null) throw error;
      await journal.append(rows, options);
    },
  };
}

const full = Object.assign(new Error("full"), { code: "STORAGE_FULL" });
const fullFor = (key: string) => (rows: readonly VersionRow[]) => (rows.some((row) => row.key === key) ? full : null);

test("a failed write fails every commit that shared it, also those that lost to one of them, and leaves memory as it was", async (t) => {
  let isFull = true;
  const fails = fullFor("/b");
  const store = createStore({
    journal: failingJournal(
      createMemoryJournal(() => 0.5),
      (rows) => (isFull ? fails(rows) : null),
    ),
    fatal: assert.ifError,
  });
  t.after(() => store.close());
  await store.commit({ changes: [put("/a", "1")] });
  const conditions = [{ key: "/b", modRevision: 0 }];
  const both = [store.commit({ conditions, changes: [put("/b", "1")] }), store.commit({ conditions, changes: [put("/b", "2")] })];
  const results = await Promise.allSettled(both);
  assert.deepEqual(
    results.map((result) => result.status === "rejected" && result.reason),
    [full, full],
  );
  assert.deepEqual([content(store), store.revision], [{ "/a": "1" }, 1]);
  isFull = false;
  assert.deepEqual(await store.commit({ conditions, changes: [put("/b", "3")] }), { revision: 2 });
});

test("deletions that shared a write with a put on a full disk are written without it", async (t) => {
  const store = createStore({
    journal: failingJournal(
      createMemoryJournal(() => 0.5),
      fullFor("/b"),
    ),
    fatal: assert.ifError,
  });
  t.after(() => store.close());
  await store.commit({ changes: [put("/a", "1")] });
  const results = await Promise.allSettled([store.commit({ changes: [put("/b", "1")] }), store.commit({ changes: [del("/a")] })]);
  assert.deepEqual(
    results.map((result) => (result.status === "rejected" ? result.reason : result.value)),
    [full, { revision: 2 }],
  );
  assert.deepEqual(content(store), {});
});

test("after a write whose outcome is unknown the store says so once, refuses commits and ends watches, and still reads", async (t) => {
  const journal = createMemoryJournal(() => 0.5);
  const fatal: unknown[] = [];
  const broken = new Error("input/output error");
  const store = createStore({
    journal: failingJournal(journal, (rows) => (rows.some(({ key }) => key === "/b") ? broken : null)),
    fatal: (error) => fatal.push(error),
  });
  t.after(() => store.close());
  await store.commit({ changes: [put("/a", "1")] });
  const watched = store.watch("", 1, t.signal)[Symbol.asyncIterator]().next();
  const results = await Promise.allSettled([store.commit({ changes: [put("/b", "1")] }), store.commit({ changes: [put("/c", "1")] })]);
  assert.deepEqual(
    results.map((result) => result.status),
    ["rejected", "rejected"],
  );
  await assert.rejects(store.commit({ changes: [put("/d", "1")] }), { code: "INTERNAL", cause: broken });
  assert.deepEqual([fatal, content(store), (await watched).done], [[broken], { "/a": "1" }, true]);
});

const fatalStatus = 70;

/** Runs the crash test's program so that the machine itself fails it, until a run gets through. */
async function failForReal(t: TestContext, wrap: (attempt: number) => readonly string[], mostAttempts: number): Promise<number> {
  const folder = await folderFor(t);
  const acknowledged = new Acknowledged();
  const program = join(import.meta.dirname, "testing", "crash-writer.ts");
  // The reserve is in place before the failures begin; they should hit the database.
  await openSqliteStore({ folder, log, random: Math.random, reserveBytes: 256 * 1024, fatal: assert.ifError }).then((store) =>
    store.commit({ changes: [put("/x", "1")] }).finally(() => store.close()),
  );
  let failed = 0;
  for (let attempt = 1; attempt <= mostAttempts; attempt++) {
    const [command = "", ...args] = [...wrap(attempt), process.execPath, program, folder, "scenario"];
    const { status, stdout, stderr } = spawnSync(command, args, {
      encoding: "utf8",
      env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "drover-compile-cache") },
    });
    acknowledged.hear(stdout);
    const store = await openSqliteStore({ folder, log, random: Math.random, reserveBytes: 256 * 1024, fatal: assert.ifError });
    acknowledged.check(store);
    await store.close();
    if (status === 0) return failed;
    assert.ok(status === fatalStatus || status === 1, `${command} ${attempt}: ${status} ${stderr}`);
    failed++;
  }
  return assert.fail(`still failing after ${mostAttempts} attempts`);
}

test("writes that the kernel refuses end the process, and nothing acknowledged is lost", {
  skip: programOnPath("prlimit") === null && "needs prlimit",
}, async (t) => {
  const steps = [4_096, 30_000, 60_000, 100_000, 200_000, 400_000, 800_000, 64 * 1024 * 1024];
  const failed = await failForReal(t, (attempt) => ["prlimit", `--fsize=${steps[attempt - 1] ?? 2 ** 30}`], steps.length + 1);
  assert.ok(failed >= 3, `only ${failed} runs failed`);
});

test("an fsync that the kernel fails ends the process, and nothing acknowledged is lost", {
  skip: !canTrace() && "needs strace",
}, async (t) => {
  // Each of the first, then ever fewer: the loop over every single call is the one above.
  const counts = Array.from({ length: 24 }, (_, index) => (index < 10 ? index + 1 : Math.round(10 * 1.4 ** (index - 9))));
  const inject = (attempt: number) => `inject=fsync,fdatasync:error=EIO:when=${counts[attempt - 1] ?? 1e6}`;
  const trace = (attempt: number) => ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", inject(attempt)];
  const failed = await failForReal(t, trace, counts.length + 1);
  assert.ok(failed >= 10, `only ${failed} runs failed`);
});

/** Some machines have strace and do not let it trace. */
function canTrace(): boolean {
  return programOnPath("strace") !== null && spawnSync("strace", ["-qq", "-o", "/dev/null", "true"]).status === 0;
}
