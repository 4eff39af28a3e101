import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort } from "#host/testing/free-ports.ts";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { processesOf, TestDrover } from "../harness/drover.ts";

/** Apps that misbehave. Each gets a clear word, harms no other app, and leaves nothing behind. */

const stop = "stop: { drain: 0s, grace: 1s }\n";
/** Of what is to fail. */
const deploy = `deploy: { deadline: 3s }\n${stop}`;

async function why(drover: TestDrover, app: string): Promise<string> {
  const { stdout, stderr } = await drover.cli(["why", app]);
  return stdout + stderr;
}

test("apps that misbehave are reported in words and leave nothing behind", async (t) => {
  await using drover = await TestDrover.start();

  await t.test("an app that exits at once fails its release with its exit code and its last lines", async () => {
    const { code, stdout, stderr } = await drover.cli(["apply", "-"], {
      input: `app: exits\nrun: echo this is the reason; exit 7\n${deploy}`,
    });
    assert.equal(code, 4, stdout + stderr);
    assert.match(stdout + stderr, /RELEASE_FAILED/);
    assert.match(stdout + stderr, /this is the reason/);
    assert.match(await why(drover, "exits"), /7/);
  });

  await t.test("a command that does not exist is named", async () => {
    const { code, stdout, stderr } = await drover.cli(["apply", "-"], {
      input: `app: missing\nrun: no-such-command-here --flag\n${deploy}`,
    });
    assert.equal(code, 4, stdout + stderr);
    assert.match(stdout + stderr + (await why(drover, "missing")), /no-such-command-here/);
  });

  await t.test("an app that never listens fails at its deadline", async () => {
    const { code, stdout, stderr } = await drover.cli(["apply", "-"], { input: `app: deaf\nrun: exec sleep 1000\n${deploy}` });
    assert.equal(code, 4, stdout + stderr);
    assert.match(await why(drover, "deaf"), /not listen|does not listen|nothing listens|NOT_LISTENING/i);
  });

  await t.test("an app that listens on the wrong port is told on which", async () => {
    const port = await freePort();
    const run = `exec node -e 'require("http").createServer((q,a)=>a.end("x")).listen(${port},"127.0.0.1")'`;
    const { code, stdout, stderr } = await drover.cli(["apply", "-"], { input: `app: elsewhere\nrun: ${JSON.stringify(run)}\n${deploy}` });
    assert.equal(code, 4, stdout + stderr);
    assert.match(await why(drover, "elsewhere"), new RegExp(String(port)));
  });

  await t.test("an app that ignores SIGTERM and one that leaves daemons behind are gone after destroy", async () => {
    await drover.apply(`app: stubborn\nrun: trap '' TERM; while :; do sleep 0.2; done\nport: none\n${stop}`);
    await drover.apply(`app: parent\nrun: "setsid sleep 4711 & sh -c 'sleep 4712 & sleep 4713' & exec sleep 4714"\nport: none\n${stop}`);
    await drover.run("destroy", "stubborn", "--yes");
    await drover.run("destroy", "parent", "--yes");
    assert.deepEqual(await processesOf(drover.home, "sleep 471"), []);
    assert.deepEqual(await processesOf(drover.home, "trap ''"), []);
  });

  await t.test("an app over its memory limit is killed alone, and the reason says memory", async (t) => {
    const machine = JSON.parse((await drover.api("GET", "/v1/machines")).body);
    const machines = Array.isArray(machine) ? machine : (machine.machines ?? machine.items);
    if (!machines[0].isolation.memory.holds) return t.skip(`memory limits do not hold here: ${machines[0].isolation.memory.how}`);
    const run = `node -e 'const a=[];setInterval(()=>a.push(Buffer.alloc(8*2**20,1)),5)'`;
    await drover.cli(["apply", "-", "--detach"], {
      input: `app: greedy\nrun: ${JSON.stringify(run)}\nport: none\nresources: { memory: 64MiB }\n${deploy}`,
    });
    await drover.until("the reason says memory", async () => /memory/i.test(await why(drover, "greedy")));
    await drover.run("destroy", "greedy", "--yes");
    return undefined;
  });

  await t.test("an app that prints without end slows nobody else's logs, and of its own nothing is missing without a word", async () => {
    await drover.apply(`app: loud\nrun: exec seq 1000000000\nport: none\n${stop}`);
    await drover.apply(`app: quiet\nrun: while :; do date +quiet-%s; sleep 0.3; done\nport: none\n${stop}`);
    await drover.until("the quiet app's lines are there", async () => /quiet-\d+/.test(await drover.run("logs", "quiet", "-n", "5")));
    const lines = (await drover.run("logs", "loud", "-n", "5000", "--json")).trim().split("\n");
    let before: number | null = null;
    for (const { source, text } of lines.map((line): { source: string; text: string } => JSON.parse(line))) {
      // How much is dropped hangs on how fast it is read; a machine that is slow enough slows the app down and drops nothing.
      if (source === "app" && before !== null) assert.equal(Number(text), before + 1);
      before = source === "app" ? Number(text) : null;
      if (source !== "app") assert.match(text, /dropped/);
    }
    assert.equal(lines.length, 5000);
    await drover.run("destroy", "loud", "--yes");
    await drover.run("destroy", "quiet", "--yes");
  });

  await t.test("a port that a stranger holds is named, and no traffic goes to the stranger", async () => {
    const { createServer } = await import("node:http");
    const stranger = createServer((_, answer) => answer.end("stranger")).listen(0, "127.0.0.1");
    await new Promise((resolve) => stranger.once("listening", resolve));
    const { port } = stranger.address() as { port: number };
    const { code } = await drover.cli(["apply", "-"], { input: `app: fixed\nrun: exec sleep 1000\nport: ${port}\n${deploy}` });
    assert.equal(code, 4);
    assert.match(await why(drover, "fixed"), new RegExp(`${port}`));
    assert.notEqual((await drover.get("fixed.default.localhost")).body, "stranger");
    stranger.close();
  });

  await t.test("an app that needs more than the machine has is refused in words", async () => {
    const { code, stdout, stderr } = await drover.cli(["apply", "-"], {
      input: "app: huge\nrun: exec sleep 1\nport: none\nresources: { cpu: 1000 }\n",
    });
    assert.equal(code, 9, stdout + stderr);
    assert.match(stdout + stderr, /1000/);
  });

  await t.test("everything destroyed leaves no process of an app", async () => {
    for (const app of ["exits", "missing", "deaf", "elsewhere", "fixed", "huge"]) await drover.run("destroy", app, "--yes");
    const left = await processesOf(drover.home, "sleep");
    assert.deepEqual(left, []);
  });
});

test("busybox is here, or its tests are skipped", {
  skip: programOnPath("busybox") === null && "busybox is not on the path: seventy-five small apps were not tested",
}, async () => {
  await using drover = await TestDrover.start();
  const busybox = `busybox httpd -f -p 127.0.0.1:$PORT -h ${drover.home}`;
  const manifest = Array.from({ length: 75 }, (_, i) => `app: small-${i}\nrun: exec ${busybox}\nready: { tcp: true }\n`).join("---\n");
  await drover.apply(manifest);
  for (const i of [0, 37, 74]) assert.notEqual((await drover.get(`small-${i}.default.localhost`)).status, 503);
  const again = JSON.parse((await drover.cli(["apply", "-", "--json"], { input: manifest })).stdout);
  assert.deepEqual([...new Set(again.plan.changes.map(({ action }: { action: string }) => action))], ["none"]);
});
