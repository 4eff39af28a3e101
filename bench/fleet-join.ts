import { TestDrover } from "../test/harness/drover.ts";
import { SshHosts, whyNoSshHosts } from "../test/harness/ssh-hosts.ts";
import { median, report, skip } from "./lib.ts";

// How long it takes from three bare hosts to an app that runs on all of them, by one `drover machine add` over SSH and one `drover apply`; with nothing packed
// yet, and again after Drover was taken away from them.

const web = "require('http').createServer((q, s) => s.end('hello')).listen(process.env.PORT)";
const manifest = `app: hello\nrun: exec node -e "${web}"\ninstances: 4\nstop: { drain: 1s, grace: 1s }\n`;
const bare = ["h2", "h3", "h4"];

const why = whyNoSshHosts();
if (why === null) await run();
else skip("three bare hosts to a spread app", why);

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
    await first.run("destroy", "hello", "--yes");
    for (const name of bare) await machine("remove", name, "--uninstall", "--yes");
  }
}
