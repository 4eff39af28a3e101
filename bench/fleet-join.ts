// How long it takes from three bare hosts to an app that runs on all of them, by one `drover machine add` over SSH and one `drover apply`; with nothing packed
// yet, and again after Drover was taken away from them; and how much the command sends to the first of them, and to those beside it. Then fifty hosts in one call, with simulated SSH.
import { watch } from "node:fs";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "#host/testing/free-ports.ts";
import { TestDrover } from "../test/harness/drover.ts";
import { TestMachines } from "../test/harness/machines.ts";
import { SshHosts, whyNoSshHosts } from "../test/harness/ssh-hosts.ts";
import { median, report, skip } from "./lib.ts";

const web = "require('http').createServer((q, s) => s.end('hello')).listen(process.env.PORT)";
const manifest = `app: hello\nrun: exec node -e "${web}"\ninstances: 4\nstop: { drain: 1s, grace: 1s }\n`;
const bare = ["h2", "h3", "h4"];

const why = whyNoSshHosts();
if (why === null) await run();
else skip("three bare hosts to a spread app", why);
await runFifty();

async function run(): Promise<void> {
  await using hosts = await SshHosts.up(1 + bare.length);
  const on = hosts.get("h1");
  await using first = await TestDrover.prepare({ host: on });
  await first.up(["--link", `${on.address}:7374`]);
  for (const name of bare) await hosts.serve(name);
  const machine = async (...args: string[]) => {
    const { code, stdout, stderr } = await first.cli(["machine", ...args, "--identity", hosts.identity], { on });
    if (code !== 0) throw new Error(`drover machine ${args.join(" ")} ended with ${code}\n${stdout}${stderr}`);
    return stdout;
  };
  for (const round of ["first time", "packed before"]) {
    const startedMs = performance.now();
    const { hosts: added } = JSON.parse(await machine("add", ...bare.map((name) => `root@${hosts.get(name).address}`), "--json"));
    const joinedS = (performance.now() - startedMs) / 1_000;
    await first.apply(manifest);
    const totalS = (performance.now() - startedMs) / 1_000;
    const { instances } = JSON.parse(await first.run("ps", "hello", "--json")) as {
      readonly instances: readonly { readonly machine: string }[];
    };
    const machines = new Set(instances.map(({ machine: name }) => name)).size;
    if (machines !== 1 + bare.length) throw new Error(`the app runs on ${machines} machines`);
    const took = added.map(({ tookMs }: { readonly tookMs: number }) => tookMs / 1_000);
    report(`three bare hosts are machines, ${round}`, joinedS, "s");
    report(`three bare hosts to a spread app, ${round}`, totalS, "s", { goal: "60 s", ok: totalS <= 60 });
    report(`slowest host over the median, ${round}`, Math.max(...took) / median(took), "×", {
      goal: "2",
      ok: Math.max(...took) <= 2 * median(took),
    });
    const sentMib = (added as readonly { readonly sentBytes: number }[]).map(({ sentBytes }) => sentBytes / 2 ** 20).sort((a, b) => b - a);
    const [most = 0, ...further] = sentMib;
    report(`sent by the command to the first host, ${round}`, most, "MiB");
    report(`sent by the command to each further one, ${round}`, Math.max(...further), "MiB", {
      goal: "a tenth",
      ok: Math.max(...further) <= most / 10,
    });
    await first.run("destroy", "hello", "--yes");
    for (const name of bare) await machine("remove", name, "--uninstall", "--yes");
  }
}

/** Fifty hosts in one call, whose SSH is simulated, beside two that cannot be had: what the command itself does to one host when it has many. */
async function runFifty(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "drover-simulated-ssh-"));
  await using made = new AsyncDisposableStack();
  made.defer(() => rm(folder, { recursive: true, force: true }));
  const hosts = join(folder, "hosts");
  await mkdir(hosts);
  await symlink(join(import.meta.dirname, "parts", "simulated-ssh.sh"), join(folder, "ssh"));
  const [port = 0] = await freePorts(1);
  const first = made.use(await TestDrover.start({ args: ["--link", `127.0.0.1:${port}`] }));
  const machines = made.use(new TestMachines(first, 0));
  const started = watch(hosts);
  const linked = new Set<string>();
  // The same name is told of more than once.
  started.on("change", (_event, name) => typeof name === "string" && !linked.has(name) && linked.add(name) && machines.link(name));
  made.defer(() => started.close());
  const names = Array.from({ length: 50 }, (_, i) => `host-${String(i + 1).padStart(2, "0")}`);
  const env = { PATH: `${folder}:${process.env["PATH"] ?? ""}`, SIMULATED_HOSTS: hosts };
  // Packing is once for all, and the first of many would be measured with it.
  await first.cli(["machine", "add", "host-00"], { env, limitMs: 300_000 });
  const startedMs = performance.now();
  const { stdout } = await first.cli(["machine", "add", ...names, "dead", "changed", "--json"], { env, limitMs: 300_000 });
  const tookS = (performance.now() - startedMs) / 1_000;
  type Outcome = {
    readonly host: string;
    readonly machine: string | null;
    readonly tookMs: number;
    readonly failure: { readonly code: string } | null;
  };
  const outcomes: readonly Outcome[] = JSON.parse(stdout).details.hosts;
  const failed = outcomes.flatMap(({ host, failure }) => (failure === null ? [] : [`${host} ${failure.code}`]));
  const took = outcomes.filter(({ failure }) => failure === null).map(({ tookMs }) => tookMs / 1_000);
  const isNamed = failed.join() === "dead SSH_FAILED,changed HOST_KEY_CHANGED";
  report("50 hosts by simulated SSH, ten at once", tookS, "s");
  report("of them machines now", took.length, "", { goal: "50", ok: took.length === 50 });
  report("dead host and one with a wrong key are named", failed.length, "", { goal: "2", ok: isNamed });
  const slowest = Math.max(...took) / median(took);
  report("slowest of the 50 over the median", slowest, "×", { goal: "2", ok: slowest <= 2 });
}
