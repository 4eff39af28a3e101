import assert from "node:assert/strict";
import { chmod, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readTextIfThere } from "#host/files.ts";
import { root, TestDrover } from "../harness/drover.ts";

interface Run {
  readonly id: string;
  readonly target: string;
  readonly level: string | null;
  readonly steps: readonly {
    readonly level: string;
    readonly target: string;
    readonly ended: { readonly result: string; readonly output: string } | null;
  }[];
  readonly outcome: { readonly kind: string; readonly reason: string } | null;
}

const fixture = join(root, "test/fixtures/machines.mjs");

/** A Drover, and an empty folder that is a provider. */
async function start(): Promise<{ readonly drover: TestDrover; readonly folder: string; readonly log: () => Promise<readonly string[]> }> {
  const drover = await TestDrover.start({ args: ["--allow-outgoing", "127.0.0.1"] });
  const folder = join(drover.home, "work", "provider");
  await mkdir(folder, { recursive: true });
  // Commands run as users of their own where Drover is root.
  for (const path of [join(drover.home, "work"), folder]) await chmod(path, 0o777);
  const log = async () => ((await readTextIfThere(join(folder, "log"))) ?? "").split("\n").filter((line) => line !== "");
  return { drover, folder, log };
}

async function runs(drover: TestDrover): Promise<readonly Run[]> {
  return JSON.parse(await drover.run("escalation", "ls", "--json")).escalations;
}

const pool = (folder: string, more = "") =>
  `pool: web\nmachines: { min: 2, healthy: 0 }\nprovider:\n  command: exec node ${fixture}\n  env: { FOLDER: ${JSON.stringify(folder)} }\n  every: 500ms\n${more}`;

/**
 * The machines of this provider have the address of the edge, so that one that is there answers at its port. What is quiet last is so for longer
 * than it takes until each machine was looked at and its pool was judged by that, or a run would begin again by what was seen before it.
 */
function ladder(port: number): string {
  const check = (what: string) => `{ ${what}, every: 1s, timeout: 1s, failures: 1 }`;
  return `ladder: demo
settle: 500ms
levels:
  - { name: pool, do: pool.create, quiet: 0s }
  - { name: machine, do: machine.replace, quiet: 0s }
  - { name: converge, do: machine.converge, quiet: 3s }
  - { name: app, do: app.redeploy, quiet: 0s }
checks:
  ping: ${check(`tcp: ${port}, each: machine, level: machine`)}
  serves: ${check("each: pool, ready: 1, level: pool")}
guard: { at_once: 100% }
`;
}

describe("pools", { concurrency: true }, () => {
  test("a space that is applied on an empty provider is built level by level, and what dies is made anew", async () => {
    const { drover, folder, log } = await start();
    await using _ = drover;
    await drover.apply(`app: hello\nrun: exec sleep 1000\nport: none\n---\n${pool(folder)}---\n${ladder(drover.edgePort)}`);
    await drover.until("everything is built", async () => (await runs(drover)).some(({ outcome }) => outcome?.kind === "done"));
    const [built] = (await runs(drover)).filter(({ outcome }) => outcome?.kind === "done");
    assert.deepEqual(
      built?.steps.map(({ level }) => level),
      ["pool", "machine", "machine", "converge", "converge"],
    );
    // Machines of one level are acted on at once, so which of them is first is chance.
    assert.deepEqual(built?.steps.map(({ level, target, ended }) => `${level} ${target} ${ended?.result}`).sort(), [
      "converge machine/web-1 ok",
      "converge machine/web-2 ok",
      "machine machine/web-1 ok",
      "machine machine/web-2 ok",
      "pool pool/web ok",
    ]);
    const made = await log();
    assert.deepEqual([...made].sort(), ["converge web-1", "converge web-2", "create web-1", "create web-2"], "nothing was made twice");
    // A run may be over a moment before the provider was asked again how its machines are.
    await drover.until("both are ready", async () => /web +2 of 2/.test((await drover.cli(["pool", "ls"])).stdout));
    await drover.until("each is shown", async () =>
      /web-1 +on +yes +127\.0\.0\.1/.test((await drover.cli(["pool", "show", "web"])).stdout),
    );

    await rm(join(folder, "machines", "web-2"));
    await drover.until("it is back", async () => (await readdir(join(folder, "machines"))).length === 2);
    const isMended = ({ target, level, outcome }: Run) => target === "machine/web-2" && level === "machine" && outcome?.kind === "done";
    await drover.until("its run is done", async () => (await runs(drover)).some(isMended));
    assert.deepEqual((await log()).slice(made.length), ["destroy web-2", "create web-2", "converge web-2"]);
  });

  test("a provider that lies or fails is found out, in words that say what it did", async () => {
    const { drover, folder } = await start();
    await using _ = drover;
    const commands = `{ list: "exec node ${fixture}", create: "echo out of stock; exit 7", destroy: "true", converge: "true" }`;
    await drover.apply(`${pool(folder).replace(`exec node ${fixture}`, commands)}---\n${ladder(drover.edgePort)}`);
    await drover.until("people are asked", async () => (await runs(drover)).some(({ outcome }) => outcome?.kind === "people"));
    const run = (await runs(drover)).find(({ outcome }) => outcome?.kind === "people");
    assert.match(run?.steps[0]?.ended?.output ?? "", /create of web-1 failed\nout of stock/);
    assert.match((await drover.cli(["pool", "show", "web"])).stdout, /web-1 +not there/);
    await drover.apply(`${pool(folder).replace(`exec node ${fixture}`, "echo no json")}`);
    await drover.until("its list is refused", async () => /is no JSON/.test((await drover.cli(["pool", "ls"])).stdout));
    await drover.until("nobody says of its machines that they fail", async () =>
      /ping@machine\/web-1 +impossible.*is no JSON/.test((await drover.cli(["check", "ls"])).stdout),
    );
  });

  test("the server killed while machines are made: the next one waits for them, and none is made twice", async () => {
    const { drover, folder, log } = await start();
    await using _ = drover;
    const line = `exec node ${fixture}`;
    // Making a machine begins with a mark, and goes on when it is told to.
    const create = `touch $FOLDER/begun-$DROVER_MACHINE; until test -e $FOLDER/go; do sleep 0.1; done; ${line}`;
    const commands = `{ list: "${line}", create: "${create}", destroy: "${line}", converge: "${line}" }`;
    await drover.cli(["apply", "-", "--detach"], { input: `${pool(folder).replace(line, commands)}---\n${ladder(drover.edgePort)}` });
    await drover.until(
      "machines are being made",
      async () => (await readdir(folder)).filter((name) => name.startsWith("begun-")).length === 2,
    );
    await drover.kill("server");
    await drover.file("provider/go", "");
    await drover.until("everything is built", async () => (await runs(drover)).some(({ outcome }) => outcome?.kind === "done"));
    const made = (await log()).filter((one) => !one.startsWith("converge"));
    assert.deepEqual([...made].sort(), ["create web-1", "create web-2"]);
  });
});
