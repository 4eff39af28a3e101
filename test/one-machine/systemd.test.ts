import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { processesOf, root, TestDrover } from "../harness/drover.ts";

const unit = await readFile(join(root, "packaging/systemd/drover.service"), "utf8");

/** The unit for this checkout and this home, in place of those of an installation. */
function unitFor(home: string): string {
  return unit.replaceAll("/opt/drover", root).replaceAll("/var/lib/drover", home);
}

function commandOf(text: string, key: "ExecStart" | "ExecStop"): readonly [string, ...string[]] {
  const [program, ...args] = new RegExp(`^${key}=(.+)$`, "m").exec(text)?.[1]?.split(" ") ?? [];
  assert.ok(program !== undefined, `the unit has no ${key}`);
  return [program, ...args];
}

test("systemd has nothing to say against the unit", async (t) => {
  if (programOnPath("systemd-analyze") === null) return t.skip("systemd-analyze is not here: the unit was not verified");
  const folder = await mkdtemp(join(tmpdir(), "drover-unit-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, "drover.service");
  await writeFile(file, unitFor("/var/lib/drover"));
  const { status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", file], { encoding: "utf8" });
  const about = `${stdout}${stderr}`.split("\n").filter((line) => line.includes("drover.service"));
  assert.deepEqual([status, about], [0, []]);
  return undefined;
});

test("what the unit starts is a whole Drover, and what it stops with ends it", async () => {
  await using drover = await TestDrover.prepare();
  const text = unitFor(drover.home);
  const [program, ...args] = commandOf(text, "ExecStart");
  const ports = ["--api", `127.0.0.1:${drover.apiPort}`, "--http", `127.0.0.1:${drover.edgePort}`];
  // As systemd does: hardly any environment, and the root as the folder.
  const agent = spawn(program, [...args, ...ports], { env: { PATH: process.env["PATH"] }, cwd: "/", stdio: "ignore" });
  const ended = once(agent, "exit");
  await drover.until("it is ready", () => drover.isReady());
  const [, ...stop] = commandOf(text, "ExecStop");
  await drover.run(...stop);
  assert.deepEqual(await ended, [0, null]);
  assert.deepEqual(await processesOf(drover.home), []);
});
