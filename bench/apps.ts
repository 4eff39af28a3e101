// Seventy-five apps from one file into an empty space, until all answer through the edge; beside pm2 and beside starting them bare.
// Usage: node bench/apps.ts [busybox|node] [rounds]
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "#host/testing/free-ports.ts";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { TestDrover } from "../test/harness/drover.ts";
import { allAnswer, median, npmPeer, publicFolder, report, runTimed, skip, timed } from "./lib.ts";

const count = 75;
const kind = process.argv[2] === "node" ? "node" : "busybox";
const rounds = Number(process.argv[3] ?? 3);

const folder = await publicFolder();
await writeFile(join(folder, "index.html"), "hello\n");
await writeFile(
  join(folder, "app.mjs"),
  'import http from "node:http";\nhttp.createServer((_, answer) => answer.end("hello\\n")).listen(process.env.PORT, "127.0.0.1");\n',
);
const busybox = programOnPath("busybox");
if (kind === "busybox" && busybox === null) {
  skip(`${count} small apps`, "busybox is not on the path");
  process.exit(0);
}
const argv = (port: string) =>
  kind === "busybox"
    ? [busybox ?? "", "httpd", "-f", "-p", `127.0.0.1:${port}`, "-h", folder]
    : [process.execPath, join(folder, "app.mjs")];
const names = Array.from({ length: count }, (_, i) => `app-${String(i).padStart(2, "0")}`);
const manifest = names.map((name) => `app: ${name}\nrun: exec ${argv("$PORT").join(" ")}\n`).join("---\n");

async function bare(): Promise<number> {
  const ports = await freePorts(count);
  let children: ChildProcess[] = [];
  const took = await timed(async () => {
    children = ports.map((port) => {
      const [command = "", ...args] = argv(String(port));
      return spawn(command, args, { env: { ...process.env, PORT: String(port) }, stdio: "ignore" });
    });
    await allAnswer(ports.map((port) => ({ port, host: "localhost" })));
  });
  for (const child of children) child.kill("SIGKILL");
  return took;
}

async function withPm2(pm2: string): Promise<number> {
  const ports = await freePorts(count);
  const home = await mkdtemp(join(tmpdir(), "drover-pm2-"));
  const env = { ...process.env, PM2_HOME: home };
  const apps = ports.map((port, i) => {
    const [script, ...args] = argv(String(port));
    return { name: names[i], script, args, interpreter: "none", env: { PORT: String(port) } };
  });
  await writeFile(join(home, "apps.config.cjs"), `module.exports = ${JSON.stringify({ apps })};\n`);
  try {
    return await timed(() =>
      Promise.all([
        runTimed(pm2, ["start", join(home, "apps.config.cjs")], { env }),
        allAnswer(ports.map((port) => ({ port, host: "localhost" }))),
      ]),
    );
  } finally {
    await runTimed(pm2, ["kill"], { env });
    await rm(home, { recursive: true, force: true });
  }
}

async function withDrover(): Promise<{ first: number; again: number }> {
  await using drover = await TestDrover.start();
  const file = await drover.file("apps.yaml", manifest);
  const targets = names.map((name) => ({ port: drover.edgePort, host: `${name}.default.localhost` }));
  // Warm the CLI's compile cache, which any earlier command on the machine has done.
  await drover.run("apps");
  const first = await timed(() => Promise.all([drover.run("apply", file, "--detach"), allAnswer(targets)]));
  await drover.run("apply", file);
  const again = median([
    await timed(() => drover.run("apply", file)),
    await timed(() => drover.run("apply", file)),
    await timed(() => drover.run("apply", file)),
  ]);
  return { first, again };
}

const pm2 = await npmPeer("pm2");
const figures = { drover: [] as number[], again: [] as number[], bare: [] as number[], pm2: [] as number[] };
for (let round = 0; round < rounds; round++) {
  figures.bare.push(await bare());
  const { first, again } = await withDrover();
  figures.drover.push(first);
  figures.again.push(again);
  if (pm2 !== null) figures.pm2.push(await withPm2(pm2));
}
await rm(folder, { recursive: true });

const drover = median(figures.drover);
const started = median(figures.bare);
console.log(`${count} ${kind} apps, from the command to the last one answering; medians of ${rounds}`);
report("  Drover, through the edge", drover, "ms", {
  peer: ["bare", started],
  goal: kind === "node" ? "≤ 1.2 × bare" : "≤ 1000 ms",
  ok: kind === "node" ? drover <= 1.2 * started : drover <= 1_000,
});
if (pm2 === null) skip("  pm2", "it could not be installed");
else
  report("  Drover, through the edge", drover, "ms", {
    peer: ["pm2", median(figures.pm2)],
    goal: "no slower than pm2",
    ok: drover <= median(figures.pm2),
  });
report("  applied again, nothing changed", median(figures.again), "ms", { goal: "≤ 200 ms", ok: median(figures.again) <= 200 });
