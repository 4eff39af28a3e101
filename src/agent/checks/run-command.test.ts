import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { processesWith } from "#host/testing/processes.ts";
import { confineByProc } from "../build/confinement.ts";
import { createRunCheckCommand } from "./run-command.ts";

async function withCommands(use: (run: ReturnType<typeof createRunCheckCommand>, folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "drover-checks-"));
  const environment = { PATH: process.env["PATH"] ?? "" };
  try {
    await use(createRunCheckCommand({ folder, environment, uid: null, confine: confineByProc }), folder);
    assert.deepEqual(await readdir(folder), [], "its folder went with it");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const running = (folder: string) => processesWith("environ", `DROVER_BUILD=${folder}/`);
const patience = () => AbortSignal.timeout(30_000);

test("a check's command tells by its exit status, and by what it says", () =>
  withCommands(async (run) => {
    assert.deepEqual(await run("echo $TARGET is well", { TARGET: "m1" }, patience()), { exitCode: 0, output: "m1 is well\n" });
    assert.equal((await run("exit 3", {}, patience())).exitCode, 3);
    assert.equal((await run("no-such-command-anywhere", {}, patience())).exitCode, 127);
  }));

test("a check's command that prints 100 MB is read to the end and kept to its beginning", () =>
  withCommands(async (run) => {
    const { exitCode, output } = await run("head -c 104857600 /dev/zero", {}, patience());
    assert.equal(exitCode, 0);
    assert.equal(output.length, 65_536);
  }));

test("a check's command that never ends is ended with the children that it left behind", () =>
  withCommands(async (run, folder) => {
    const left = await run("sleep 1000 & setsid sleep 1000 & echo left", {}, patience());
    assert.equal(left.exitCode, 0);
    assert.deepEqual(await running(folder), [], "what it left behind was ended");
    const stop = new AbortController();
    const endless = run("sleep 1000 & while :; do sleep 1; done", {}, stop.signal);
    while ((await running(folder)).length < 3) await new Promise((resolve) => setImmediate(resolve));
    stop.abort(new Error("its time is over"));
    assert.equal((await endless).exitCode, null);
    assert.deepEqual(await running(folder), []);
  }));
