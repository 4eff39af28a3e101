// `kill -9` of the only instance of an app, until its replacement answers through the edge; beside pm2, and beside the app's own start.
// Usage: node bench/replace.ts [kills]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { readTextIfThere } from "#host/files.ts";
import { freePorts } from "#host/testing/free-ports.ts";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { TestDrover } from "../test/harness/drover.ts";
import { answers, median, npmPeer, publicFolder, quantile, report, runTimed, skip, timed } from "./lib.ts";

const kills = Number(process.argv[2] ?? 40);
const busybox = programOnPath("busybox");
if (busybox === null) {
  skip("kill -9 to serving", "busybox is not on the path");
  process.exit(0);
}
const folder = await publicFolder();
await writeFile(join(folder, "index.html"), "hello\n");
const argv = (port: string) => ["httpd", "-f", "-p", `127.0.0.1:${port}`, "-h", folder];

/** Asks in a tight loop, so that the figure is not rounded up to a polling interval. */
async function serves(port: number, host: string): Promise<void> {
  while (!(await answers(port, host))) await delay(1);
}

const own: number[] = [];
for (let i = 0; i < kills; i++) {
  const [port] = (await freePorts(1)) as [number];
  const startedAt = performance.now();
  const child = spawn(busybox, argv(String(port)), { stdio: "ignore" });
  await serves(port, "localhost");
  own.push(performance.now() - startedAt);
  child.kill("SIGKILL");
  await once(child, "exit");
}

const ours: number[] = [];
{
  await using drover = await TestDrover.start();
  await drover.apply(`app: small\nrun: exec ${busybox} ${argv("$PORT").join(" ")}\n`);
  for (let i = 0; i < kills; i++) {
    const { instances } = JSON.parse((await drover.api("GET", "/v1/spaces/default/apps/small")).body);
    const pid: number = instances[0].pid;
    ours.push(
      await timed(async () => {
        process.kill(pid, "SIGKILL");
        await serves(drover.edgePort, "small.default.localhost");
      }),
    );
    // An instance that ran for a while is restarted at once; give each the time to count as well. The backoff resets after a minute.
    await drover.until("the new pid is known", async () => {
      const status = JSON.parse((await drover.api("GET", "/v1/spaces/default/apps/small")).body);
      return status.instances[0]?.ready === true && status.instances[0].pid !== pid;
    });
    await drover.run("restart", "small");
  }
}

const theirs: number[] = [];
const pm2 = await npmPeer("pm2");
if (pm2 !== null) {
  const home = await mkdtemp(join(tmpdir(), "drover-pm2-"));
  const env = { ...process.env, PM2_HOME: home };
  const [port] = (await freePorts(1)) as [number];
  await writeFile(
    join(home, "apps.config.cjs"),
    `module.exports = ${JSON.stringify({ apps: [{ name: "small", script: busybox, args: argv(String(port)), interpreter: "none", pid_file: join(home, "small.pid") }] })};\n`,
  );
  await runTimed(pm2, ["start", join(home, "apps.config.cjs")], { env });
  await serves(port, "localhost");
  // pm2 gives an app up after sixteen quick restarts.
  for (let i = 0; i < Math.min(kills, 12); i++) {
    const file = ((await readTextIfThere(join(home, "small-0.pid"))) ?? (await readFile(join(home, "small.pid"), "utf8"))).trim();
    theirs.push(
      await timed(async () => {
        process.kill(Number(file), "SIGKILL");
        await serves(port, "localhost");
      }),
    );
    await delay(200);
  }
  await runTimed(pm2, ["kill"], { env });
  await rm(home, { recursive: true, force: true });
}
await rm(folder, { recursive: true });

console.log(
  `kill -9 of an instance to its replacement serving, ${kills} times; the app's own start is ${median(own).toFixed(1)} ms (p99 ${quantile(own, 0.99).toFixed(1)} ms)`,
);
for (const [name, share, allowed] of [
  ["p50", 0.5, 10],
  ["p99", 0.99, 40],
] as const) {
  const figure = quantile(ours, share);
  const goal = quantile(own, share) + allowed;
  report(`  ${name}, through the edge`, figure, "ms", {
    ...(theirs.length > 0 ? { peer: ["pm2", quantile(theirs, share)] as const } : {}),
    goal: `≤ own start + ${allowed} ms = ${goal.toFixed(1)} ms`,
    ok: figure <= goal,
  });
}
