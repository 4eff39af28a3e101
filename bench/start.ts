// A fresh clone to all example apps answering by name; Ctrl-C until nothing of it runs; the second start.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePorts } from "#host/testing/free-ports.ts";
import { processesOf, request, root } from "../test/harness/drover.ts";
import { answers, report, timed } from "./lib.ts";

const expected = 5;
const folder = await mkdtemp(join(tmpdir(), "drover-fresh-"));
const clone = join(folder, "clone");
const home = join(folder, "home");
const [apiPort, edgePort] = (await freePorts(2)) as [number, number];
// The machine's own Node and npm, not the pinned one that this bench runs under.
const path = (process.env["PATH"] ?? "").split(delimiter).filter((entry) => !entry.includes("node_modules"));
const env: NodeJS.ProcessEnv = { ...process.env, PATH: path.join(delimiter), DROVER_HOME: home, NO_COLOR: "1" };
for (const name of Object.keys(env)) if (name.startsWith("npm_") || name === "NODE_COMPILE_CACHE") delete env[name];

function must(command: string, args: readonly string[], cwd: string): void {
  const { status, stderr } = spawnSync(command, args, { cwd, env, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}: ${stderr}`);
}

function npmStart(): ChildProcess {
  // A group of its own, so that the interrupt reaches all of it as Ctrl-C in a terminal would.
  return spawn("npm", ["start", "--", "--api", `127.0.0.1:${apiPort}`, "--http", `127.0.0.1:${edgePort}`], {
    cwd: clone,
    env,
    stdio: ["ignore", "inherit", "inherit"],
    detached: true,
  });
}

async function urls(): Promise<readonly URL[]> {
  const token = (await readFile(join(home, "token"), "utf8")).trim();
  const { body } = await request({ port: apiPort, method: "GET", path: "/v1/spaces", headers: { authorization: `Bearer ${token}` } });
  const found: URL[] = [];
  let ready = 0;
  for (const { name } of JSON.parse(body).spaces) {
    const apps = await request({
      port: apiPort,
      method: "GET",
      path: `/v1/spaces/${name}/apps`,
      headers: { authorization: `Bearer ${token}` },
    });
    for (const app of JSON.parse(apps.body).apps) {
      if (app.health !== "ready") return [];
      ready++;
      for (const url of app.urls) found.push(new URL(url));
    }
  }
  return ready < expected ? [] : found;
}

/** Some have nothing at `/` and say so themselves; only an edge without an instance answers 503. */
const isOfTheApp = (status: number) => status < 500;

async function allServe(): Promise<void> {
  const end = performance.now() + 120_000;
  let cause: unknown;
  while (performance.now() < end) {
    try {
      const known = await urls();
      if (known.length > 0 && (await Promise.all(known.map(({ hostname }) => answers(edgePort, hostname, isOfTheApp)))).every(Boolean))
        return;
    } catch (error) {
      cause = error;
    }
    await delay(20);
  }
  throw new Error("the examples never all answered", { cause });
}

must("git", ["clone", "--quiet", root, clone], folder);
const setup = await timed(async () => must("node", ["scripts/setup.mjs"], clone));
let drover = npmStart();
const first = await timed(allServe);
const stopped = await timed(async () => {
  process.kill(-(drover.pid ?? 0), "SIGINT");
  await once(drover, "exit");
  while ((await processesOf(home)).length > 0) await delay(20);
});
drover = npmStart();
const second = await timed(allServe);
process.kill(-(drover.pid ?? 0), "SIGINT");
await once(drover, "exit");
await rm(folder, { recursive: true, force: true });

report("download of packages (not counted)", setup / 1_000, "s");
report("npm start in a fresh clone to all examples answering", first / 1_000, "s", { goal: "≤ 20 s", ok: first <= 20_000 });
report("Ctrl-C to nothing of it running", stopped / 1_000, "s", { goal: "≤ 10 s", ok: stopped <= 10_000 });
report("the second npm start to all examples answering", second / 1_000, "s", { goal: "≤ 3 s", ok: second <= 3_000 });
