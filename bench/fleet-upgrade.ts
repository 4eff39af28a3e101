// What a rolling upgrade of three machines, the server's among them, costs those who use what runs there: 200 requests a second through the edge of the
// server's machine while all go over to another version, and back. The goal is no failed request.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { TestDrover } from "../test/harness/drover.ts";
import { isLinked } from "../test/harness/fleet.ts";
import { type Host, Hosts, whyNoHosts } from "../test/harness/hosts.ts";
import type { LoadReport } from "../test/harness/load.ts";
import { makeVersion } from "../test/harness/other-version.ts";
import { report, skip } from "./lib.ts";

const web = "require('http').createServer((q, s) => s.end('hello')).listen(process.env.PORT)";
const manifest = `app: hello\nrun: exec node -e "${web}"\ninstances: 6\nstop: { drain: 1s, grace: 1s }\n`;
const perSecond = 200;

const why = whyNoHosts();
if (why === null) await run();
else skip("a rolling upgrade under load", why);

async function run(): Promise<void> {
  await using hosts = await Hosts.up(3);
  await using made = new AsyncDisposableStack();
  const on = hosts.get("h1");
  const link = `${on.address}:7374`;
  const first = made.use(await TestDrover.prepare({ host: on }));
  await first.up(["--link", link]);
  for (const name of ["h2", "h3"]) {
    const machine = made.use(await TestDrover.prepare({ host: hosts.get(name) }));
    const file = join(machine.home, "join-token");
    await first.run("machine", "token", name, "--out", file);
    machine.launch(["--join", link, "--token-file", file]);
    await first.until(`${name} is linked`, () => isLinked(first, name));
  }
  await first.apply(manifest);
  const next = await makeVersion(join(first.home, "work", "next"), "9.0.0");
  for (const [what, args] of [
    ["forwards", ["--from", next]],
    ["back", ["--back"]],
  ] as const) {
    const load = loadOn(on, { port: first.edgePort, host: "hello.default.localhost", perSecond });
    const startedMs = performance.now();
    const { code, stdout, stderr } = await first.cli(["upgrade", ...args, "--yes", "--json"], { limitMs: 300_000 });
    if (code !== 0) throw new Error(`the upgrade ended with ${code}\n${stdout}${stderr}`);
    const { upgraded } = JSON.parse(stdout) as { readonly upgraded: readonly string[] };
    const tookS = (performance.now() - startedMs) / 1_000;
    const { sent, failures } = await load();
    for (const failure of failures.slice(0, 5)) process.stderr.write(`${failure}\n`);
    report(`three machines go over, ${what}: ${upgraded.length} in turn`, tookS, "s");
    report(`requests during that, ${what}`, sent, "");
    report(`failed requests during that, ${what}`, failures.length, "", { goal: "0", ok: failures.length === 0 });
  }
}

/** Starts steady requests within the host. @returns what ends them, and says what became of them */
function loadOn(
  host: Host,
  options: { readonly port: number; readonly host: string; readonly perSecond: number },
): () => Promise<LoadReport> {
  const [program = "", ...enter] = host.enter;
  const script = join(import.meta.dirname, "parts", "load-on-host.ts");
  const child = spawn(program, [...enter, process.execPath, script, JSON.stringify(options)], { stdio: ["pipe", "pipe", "inherit"] });
  const said = text(child.stdout);
  return async () => {
    child.stdin.end();
    return JSON.parse(await said) as LoadReport;
  };
}
