import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { TestDrover } from "../harness/drover.ts";
import { isLinked, openFleet, startMachine } from "../harness/fleet.ts";

test("a machine joins with a token, comes back without one, and is refused once it was removed", async (t) => {
  const { first, address } = await openFleet(t);
  const machine = await startMachine(t, first, address, "m2");
  await first.until("the edge of m2 is linked", async () => / edge\.linked: the edge of m2 /.test(await first.run("events")));

  const shown = await first.cli(["machine", "exec", "m2", "--", "sh", "-c", "readlink /proc/$PPID/exe; pwd; echo no >&2; exit 3"]);
  assert.deepEqual([shown.code, shown.stderr], [3, "no\n"]);
  assert.equal(shown.stdout.split("\n")[1], homedir());
  assert.match(await first.run("events"), /machine\.exec: owner opened a command on m2 itself/);
  assert.match(await first.run("machine", "logs", "m2"), / agent .*"message":"agent started"/);

  await machine.kill("agent");
  await first.until("m2 is not linked", async () => !(await isLinked(first, "m2")));
  machine.launch(["--join", address, "--token-file", join(machine.home, "gone")]);
  await first.until("m2 is linked again", () => isLinked(first, "m2"));

  await first.kill("server");
  await first.until("m2 is linked to the next server", () => isLinked(first, "m2"));

  await first.run("machine", "remove", "m2", "--yes");
  await machine.until("m2 is told", async () => /"m2\\" is no member any more/.test(machine.output));
  assert.equal(await isLinked(first, "m2"), false);
});

test("a machine that may not join says why and ends", async (t) => {
  const { first, address } = await openFleet(t);
  const other = await TestDrover.prepare();
  t.after(() => other[Symbol.asyncDispose]());
  const up = (...args: string[]) => other.cli(["up", "--http", `127.0.0.1:${other.edgePort}`, "--dns", "off", "--join", address, ...args]);
  const file = join(other.home, "join-token");
  await first.run("machine", "token", "m2", "--out", file);

  const without = await up();
  assert.equal(without.code, 6);
  assert.match(without.stderr, /has not joined .* yet {3}\[JOIN_REFUSED\]\nhint: {2}Make a token there/);
  const named = await up("--token-file", file, "--machine", "m3");
  assert.match(named.stderr, /the token is for "m2", not for "m3" {3}\[JOIN_REFUSED\]/);
  await writeFile(file, (await readFile(file, "utf8")).slice(0, 80));
  assert.match((await up("--token-file", file)).stderr, /only a part of one {3}\[JOIN_REFUSED\]/);
  const elsewhere = await other.cli(["up", "--join", `127.0.0.1:${first.apiPort}`, "--token-file", file]);
  assert.match(elsewhere.stderr, /\[JOIN_REFUSED\]/);

  const own = await first.cli(["up", "--join", address, "--token-file", file]);
  assert.match(own.stderr, /\[HOME_IN_USE\]/);
});

test("without --link nobody can join, and the refusal says what to do", async (t) => {
  await using alone = await TestDrover.start();
  const { code, stderr } = await alone.cli(["machine", "token", "m2"]);
  assert.equal(code, 2);
  assert.match(stderr, /other machines cannot reach this server/);
  assert.match(stderr, /drover up --link/);
  t.diagnostic("refused as it should be");
});
