import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { killIfThere } from "#host/testing/processes.ts";
import { processesOf, type TestDrover } from "../harness/drover.ts";
import { openFleet, startMachine } from "../harness/fleet.ts";
import { startLoad } from "../harness/load.ts";
import { makeVersion } from "../harness/other-version.ts";

const web = "require('http').createServer((q, s) => s.end(process.env.DROVER_INSTANCE)).listen(process.env.PORT)";
const manifest = `app: hello\nrun: exec node -e "${web}"\ninstances: 2\nstop: { drain: 1s, grace: 1s }\n`;

async function releaseOn(first: TestDrover, machine: string): Promise<string> {
  return JSON.parse((await first.api("GET", `/v1/machines/${machine}/programs`)).body).release;
}

/** The machine that the server runs on. */
async function serversOwn(first: TestDrover): Promise<string> {
  const { machines } = JSON.parse(await first.run("machine", "ls", "--json"));
  return machines.find(({ joined }: { joined: boolean }) => !joined).id;
}

async function pids(first: TestDrover): Promise<readonly number[]> {
  const { instances } = JSON.parse(await first.run("ps", "hello", "--json"));
  return instances.map(({ pid }: { pid: number }) => pid).sort();
}

/** A command that waits for every machine: on one that is busy with other tests, for longer than others take. */
const limitMs = 200_000;

async function upgrade(first: TestDrover, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await first.cli(["upgrade", ...args, "--yes"], { limitMs });
  assert.equal(code, 0, stderr);
  return stdout;
}

test("machines go over to another version and back, the server's last, while all is answered; one whose agent does not stay goes back by itself", async (t) => {
  const { first, address } = await openFleet(t);
  await startMachine(t, first, address, "m2");
  const own = await serversOwn(first);
  const release = await releaseOn(first, "m2");
  await first.apply(manifest);
  const before = await pids(first);
  const next = await makeVersion(join(first.home, "work", "next"), "9.0.0");
  const agentPid = first.agentPid;
  await using load = startLoad({ port: first.edgePort, host: "hello.default.localhost", perSecond: 30 });

  const tarball = join(first.home, "work", "next.tar");
  assert.equal(spawnSync("tar", ["-cf", tarball, "-C", join(next, ".."), "next"]).status, 0);
  const { upgraded } = JSON.parse(await upgrade(first, "--from", tarball, "--json"));
  assert.deepEqual(upgraded, ["m2", own]);
  assert.deepEqual([await releaseOn(first, "m2"), await releaseOn(first, own)], ["9.0.0", "9.0.0"]);
  assert.match(await first.status(), /^Drover 9\.0\.0, /);
  assert.equal(await first.pidOf("agent"), agentPid, "whoever started it sees the same process");
  assert.match(await upgrade(first, "--from", next), /all machines run this already/);

  const back = JSON.parse(await upgrade(first, "--back", "--json"));
  assert.deepEqual(back.upgraded, [own, "m2"]);
  assert.deepEqual([await releaseOn(first, "m2"), await releaseOn(first, own)], [release, release]);
  const report = await load.stop();
  assert.deepEqual(report.failures, []);
  assert.deepEqual(await pids(first), before, "what ran goes on");
  assert.match(await first.run("events"), /machine\.upgraded: m2 stays with Drover 9\.0\.0 \([0-9a-f]{16}\)/);

  await writeFile(join(next, "src", "agent", "main.ts"), "process.exit(1);\n");
  const bad = await first.cli(["upgrade", "--from", next, "--yes"], { limitMs });
  assert.equal(bad.code, 4, bad.stdout);
  assert.match(
    bad.stderr,
    /m2 did not stay with it, and is back at .*: it went back by itself: its agent did not stay {3}\[UPGRADE_FAILED\]/,
  );
  assert.deepEqual([await releaseOn(first, "m2"), await releaseOn(first, own)], [release, release]);
});

test("a machine that loses its power during the trial of a version that does not start is back at the one before after its next start", async (t) => {
  const { first, address } = await openFleet(t);
  const m2 = await startMachine(t, first, address, "m2");
  const release = await releaseOn(first, "m2");
  const next = await makeVersion(join(first.home, "work", "next"), "9.0.0");
  await writeFile(join(next, "src", "agent", "main.ts"), "process.exit(1);\n");

  const upgrading = first.cli(["machine", "upgrade", "m2", "--from", next, "--yes"], { limitMs });
  await m2.until("it has gone over", async () => existsSync(join(m2.home, "programs", "trial")) && !m2.agentRuns);
  for (const pid of await processesOf(m2.home)) killIfThere(pid);
  await m2.until("nothing of it runs", async () => (await processesOf(m2.home)).length === 0);
  m2.launch(["--join", address]);
  const { code, stderr } = await upgrading;
  assert.equal(code, 4);
  assert.match(stderr, /m2 did not stay with it, and is back at .*: it went back by itself: its agent did not stay/);
  assert.equal(await releaseOn(first, "m2"), release);
  assert.deepEqual(await processesOf(m2.home, "guard.sh"), []);
});
