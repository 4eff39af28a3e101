import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createLog } from "#host/log.ts";
import { failpointNames } from "#host/testing/failpoint-names.ts";
import { hasCode } from "#model/errors.ts";
import { newestGoodBackup } from "./backups.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import { storeFiles } from "./store-files.ts";
import { Acknowledged } from "./testing/acknowledged.ts";
import { restoreBackup } from "./testing/restore-backup.ts";

const log = createLog({ print: () => {}, nowMs: () => 0 });
const program = join(import.meta.dirname, "testing", "crash-writer.ts");
/** All thousand take a minute and a half; every run of the suite does a tenth. */
const allKills = process.env["DROVER_FULL"] === "1" ? 1_000 : 100;
/** Folders that are written to and killed at the same time, one for each core of a small machine. */
const lanes = 2;

async function folderFor(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "drover-crash-"));
  context.after(() => rm(folder, { recursive: true }));
  return folder;
}

function start(folder: string, mode: "endless" | "scenario", failpoints = "") {
  const child: ChildProcess = spawn(process.execPath, [program, folder, mode], {
    env: { ...process.env, DROVER_FAILPOINTS: failpoints, NODE_COMPILE_CACHE: join(tmpdir(), "drover-compile-cache") },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  const opened = Promise.withResolvers<void>();
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    if (output.startsWith("open\n")) opened.resolve();
  });
  const ended = once(child, "close").then(([status, signal]) => {
    opened.resolve();
    return { status, signal, output };
  });
  return { child, opened: opened.promise, ended };
}

async function checkStore(folder: string, acknowledged: Acknowledged): Promise<void> {
  const store = await openSqliteStore({ folder, log, random: Math.random, reserveBytes: 256 * 1024, fatal: assert.ifError });
  try {
    acknowledged.check(store);
  } finally {
    await store.close();
  }
}

test(`a writer killed at ${allKills} random points loses nothing that it acknowledged, and leaves nothing by half`, async (t) => {
  t.diagnostic(`${allKills} kills; DROVER_FULL=1 makes it 1,000`);
  const lane = async (kills: number) => {
    const folder = await folderFor(t);
    const acknowledged = new Acknowledged();
    for (let kill = 0; kill < kills; kill++) {
      const { child, opened, ended } = start(folder, "endless");
      // Every fifth dies somewhere on its way up, while it recovers from the one before; the others in their writing.
      if (kill % 5 === 4) await delay(Math.random() * 60);
      else await opened.then(() => delay(Math.random() * 20));
      child.kill("SIGKILL");
      acknowledged.hear((await ended).output);
      // Opening is what the next writer does as well; here it also looks.
      if (kill % 3 === 0) await checkStore(folder, acknowledged);
    }
    await checkStore(folder, acknowledged);
    return acknowledged.count;
  };
  const counts = await Promise.all(Array.from({ length: lanes }, () => lane(allKills / lanes)));
  assert.ok(
    counts.every((count) => count > allKills),
    `the writers hardly wrote: ${counts}`,
  );
});

test("a writer killed at each failpoint of the store loses nothing that it acknowledged", async (t) => {
  const names = (await failpointNames(import.meta.dirname)).filter((name) => name.startsWith("store."));
  assert.ok(names.length >= 8, `only ${names.length} failpoints`);
  const kills = names.flatMap((name) => [`${name}=kill`, `${name}=kill@2`]);
  const hit = new Set<string>();
  const lane = async () => {
    for (let failpoints = kills.pop(); failpoints !== undefined; failpoints = kills.pop()) {
      const folder = await folderFor(t);
      const acknowledged = new Acknowledged();
      const { signal, status, output } = await start(folder, "scenario", failpoints).ended;
      if (signal === "SIGKILL") hit.add(failpoints.replace(/=.*/, ""));
      else assert.equal(status, 0, failpoints);
      acknowledged.hear(output);
      try {
        await checkStore(folder, acknowledged);
      } catch (error) {
        // Killed in the middle of a restore: the store refuses to guess, and the restore is repeated.
        if (!hasCode(error, "STORE_DAMAGED") || !failpoints.startsWith("store.restore.")) throw new Error(failpoints, { cause: error });
        const backup = await newestGoodBackup(storeFiles(folder).backups);
        assert.ok(backup !== null && error instanceof Error && "hint" in error && String(error.hint).includes(backup.file));
        await restoreBackup({ folder, from: backup.file, log });
        await checkStore(folder, acknowledged);
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  assert.deepEqual([...hit].sort(), names, "failpoints that were hit with a kill");
});
