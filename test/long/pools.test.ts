import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { freePorts } from "#host/testing/free-ports.ts";
import { TestDrover } from "../harness/drover.ts";
import { isLinked } from "../harness/fleet.ts";
import { Hosts, whyNoHosts } from "../harness/hosts.ts";
import { Metal, type MetalHost } from "../harness/metal.ts";
import { whyNoRedfish } from "../harness/redfish.ts";
import { runOn, SshHosts, whyNoSshHosts } from "../harness/ssh-hosts.ts";

/** Pools that follow their work, with a real server, real agents on hosts of their own, and real providers. */

/** Long enough for a busy machine to copy Drover to two hosts one after the other. */
const copyMs = 150_000;

/** A server that machines on these hosts can join. @param own where they reach this machine */
async function startServer(context: TestContext, own: string): Promise<{ readonly drover: TestDrover; readonly link: string }> {
  const [port = 0] = await freePorts(1);
  const link = `${own}:${port}`;
  const drover = await TestDrover.start({ args: ["--link", link, "--allow-outgoing", "127.0.0.1"] });
  context.after(() => drover[Symbol.asyncDispose]());
  return { drover, link };
}

/** An app of which one instance fits on a machine. */
async function appOf(drover: TestDrover, pool: string, instances: number): Promise<string> {
  const { machines } = JSON.parse(await drover.run("machine", "ls", "--json")) as {
    readonly machines: readonly { readonly cores: number }[];
  };
  const cpu = ((machines[0]?.cores ?? 1) * 0.6).toFixed(2);
  return `app: shop\nrun: exec sleep 100000\nport: none\ninstances: ${instances}\nplace: { pool: ${pool} }\nresources: { cpu: ${cpu} }\nstop: { drain: 0s, grace: 1s }\n`;
}

/** Machines on which an instance is ready. */
async function readyOn(drover: TestDrover): Promise<readonly string[]> {
  const { instances } = JSON.parse(await drover.run("ps", "shop", "--json"));
  return instances
    .filter(({ ready }: { ready: boolean }) => ready)
    .map(({ machine }: { machine: string }) => machine)
    .sort();
}

const isReadyOn = async (drover: TestDrover, ...machines: readonly string[]) => String(await readyOn(drover)) === String(machines);
const shown = async (drover: TestDrover, pool: string) => (await drover.cli(["pool", "show", pool])).stdout;

const whySsh = whyNoSshHosts();

test("a pool of hosts makes its least over SSH around a host that is dead, grows for what waits up to its most, asks for more, and gives back what is idle", {
  skip: whySsh === null ? false : `a pool of hosts that follows its work was not tried: ${whySsh}`,
}, async (t) => {
  const hosts = await SshHosts.up(3, true);
  t.after(() => hosts[Symbol.asyncDispose]());
  const [dead, h2, h3] = [hosts.get("h1"), await hosts.serve("h2"), await hosts.serve("h3")];
  dead.cut();
  const { drover } = await startServer(t, hosts.own);
  const key = await drover.cli(["secret", "set", "KEY"], { input: await readFile(hosts.identity, "utf8") });
  assert.equal(key.code, 0, key.stderr);
  const list = [dead, h2, h3].map(({ address }) => `root@${address}`);
  const pool = (more: string) =>
    `pool: web\nmachines: { min: 1, max: 2, idle: 2s, wait: 1s, healthy: 0${more} }\nprovider:\n  ssh: { hosts: [${list}], key: KEY }\n  every: 1s\n`;
  await drover.apply(pool(""), "--detach");
  await drover.until("its least is there", () => isLinked(drover, "web-1"), copyMs);
  const made = /create of web-1: .*/.exec(await drover.run("events"))?.[0] ?? "";
  assert.match(made, new RegExp(`root@${dead.address}: it does not answer.*web-1 is root@${h2.address} now`));

  await drover.apply(await appOf(drover, "web", 2), "--detach");
  await drover.until("it has grown, and runs what waited", () => isReadyOn(drover, "web-1", "web-2"), copyMs);
  await drover.until("both are kept", async () => /- web-2 stays: it runs 1 instance\n/.test(await shown(drover, "web")));
  assert.match(await shown(drover, "web"), /web: 2 of 2 machines are ready/);
  assert.match(await drover.run("machine", "show", "web-2"), /pool +web of space default: it stays: it runs 1 instance/);

  await drover.apply(await appOf(drover, "web", 4), "--detach");
  const asks = /add 2 machines of \d+ CPU to pool web: 2 instances of shop.web have waited \d+ s/;
  await drover.until("it has its most, and says what is needed", async () => asks.test(await drover.status()));
  assert.match((await drover.cli(["why", "shop"])).stdout, /add 2 machines of \d+ CPU to pool web/);
  assert.match((await drover.cli(["pool", "ls"])).stdout, /web +2 of 2 +ssh +add 2 machines/);

  await drover.run("destroy", "shop", "--yes");
  await drover.until("one of them was drained and given back", async () => !(await drover.run("machine", "ls")).includes("web-2"));
  assert.match(await shown(drover, "web"), /web: 1 of 1 machines are ready(.|\n)*- web-1 stays: 1 machine is the least/);
  assert.equal(runOn(h3, "ls -d /opt/drover 2>/dev/null || true"), "", "nothing of Drover is left on its host");

  await drover.apply(pool(", grow: ask"), "--detach");
  await drover.apply(await appOf(drover, "web", 2), "--detach");
  const one = /add 1 machine of \d+ CPU to pool web: 1 instance of shop.web has waited \d+ s/;
  await drover.until("it asks, and adds nothing", async () => one.test(await drover.status()));
  assert.match(await shown(drover, "web"), /its rules ask before they add machines/);
  assert.deepEqual(await readyOn(drover), ["web-1"]);
});

const whyMetal = whyNoHosts() ?? whyNoRedfish();

test("metal that runs nothing is drained and switched off over Redfish, and switched on again when there is work for it; one whose controller is dead is left out", {
  skip: whyMetal === null ? false : `a pool of metal that follows its work was not tried: ${whyMetal}`,
}, async (t) => {
  const hosts = await Hosts.up(2, true);
  t.after(() => hosts[Symbol.asyncDispose]());
  const { drover, link } = await startServer(t, hosts.own);
  const metal: MetalHost[] = [];
  for (const [i, name] of ["h1", "h2"].entries()) {
    const host = hosts.get(name);
    const machine = await TestDrover.prepare({ host });
    t.after(() => machine[Symbol.asyncDispose]());
    // Metal joins once, under its name for ever: as number 1 and 3, since the controller of number 2 is dead.
    const member = `metal-${2 * i + 1}`;
    const file = join(machine.home, "join-token");
    await drover.run("machine", "token", member, "--label", "pool=metal", "--out", file);
    machine.launch(["--join", link, "--token-file", file]);
    await drover.until(`${member} is linked`, () => isLinked(drover, member));
    await host.powerOff();
    metal.push({ host, boot: () => void machine.launch(["--join", link]) });
  }
  const folder = await mkdtemp(join(tmpdir(), "drover-metal-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const opened = await Metal.open(folder, metal);
  t.after(() => opened[Symbol.asyncDispose]());
  const { redfish } = opened;
  const [nobody = 0] = await freePorts(1);
  for (const name of ["BMC_USER", "BMC_PASSWORD"]) {
    const set = await drover.cli(["secret", "set", name], { input: "canary-5f1e7a" });
    assert.equal(set.code, 0, set.stderr);
  }
  const controllers = [redfish.url(0), `https://127.0.0.1:${nobody}`, redfish.url(1)];
  const machines = controllers.map((bmc, i) => `    - { bmc: "${bmc}", address: 10.0.0.${i + 1} }\n`).join("");
  await drover.apply(
    `pool: metal\nmachines: { min: 1, max: 2, idle: 2s, wait: 1s, healthy: 0 }\nprovider:\n  redfish:\n    user: BMC_USER\n    password: BMC_PASSWORD\n    machines:\n${machines}  every: 1s\n`,
    "--detach",
  );
  const isOn = () => metal.map(({ host }) => host.isOn);
  await drover.until("its least is switched on", () => isLinked(drover, "metal-1"));
  await drover.apply(await appOf(drover, "metal", 2), "--detach");
  await drover.until("the one that can be had is switched on, and takes what waited", () => isReadyOn(drover, "metal-1", "metal-3"));
  assert.match(await drover.run("events"), /pool metal: metal-2 leaves: metal-2 does not come: .*127\.0\.0\.1:\d+ cannot be asked/);
  assert.deepEqual(isOn(), [true, true]);

  await drover.apply(await appOf(drover, "metal", 1), "--detach");
  await drover.until("what runs nothing is off", async () => isOn().filter((on) => !on).length === 1);
  const [left = ""] = await readyOn(drover);
  const other = left === "metal-1" ? "metal-3" : "metal-1";
  await drover.until("it is not linked", async () => !(await isLinked(drover, other)));
  await drover.until("it is none of the pool's wanted ones", async () => /metal: 1 of 1 machines/.test(await shown(drover, "metal")));

  await drover.apply(await appOf(drover, "metal", 2), "--detach");
  await drover.until("it is switched on, and takes its part again", () => isReadyOn(drover, "metal-1", "metal-3"));
  assert.deepEqual(isOn(), [true, true]);
  assert.doesNotMatch(`${await drover.run("events")}${drover.output}`, /canary/);
});
