import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { freePorts } from "#host/testing/free-ports.ts";
import { request, root, TestDrover } from "../harness/drover.ts";

const execute = promisify(execFile);
const run = `exec node ${join(root, "test/fixtures/web.mjs")}`;
const manifest = (app: string, instances: number) =>
  `app: ${app}\nprocesses: { web: { run: ${run}, instances: ${instances}, ready: { http: / } } }\n`;

/** Where Debian puts dnsmasq is not on everybody's path. */
const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin"];
const program = (name: string) => folders.map((folder) => join(folder, name)).find((file) => existsSync(file)) ?? null;
const dig = program("dig");
const dnsmasq = program("dnsmasq");
const unbound = program("unbound");

function resolverAt(port: number): Resolver {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  resolver.setServers([`127.0.0.1:${port}`]);
  return resolver;
}

test("apps find each other's ready instances by name, without the server too", async () => {
  const [dns = 0] = await freePorts(1);
  await using drover = await TestDrover.start({ args: ["--dns", `127.0.0.1:${dns}`] });
  const resolver = resolverAt(dns);
  const ports = async () => (await resolver.resolveSrv("api.default.drover")).map(({ port }) => port).sort();
  await drover.apply(manifest("api", 2));
  await drover.apply(manifest("web", 1));
  assert.match(await drover.status(), new RegExp(`dns +127\\.0\\.0\\.1:${dns}`));
  assert.deepEqual(await resolver.resolve4("api.default.drover"), ["127.0.0.1"]);

  // As an app would: inside an instance, a port by name, then a request there.
  const script = `
    const { Resolver } = require("node:dns/promises");
    const resolver = new Resolver();
    resolver.setServers(["127.0.0.1:${dns}"]);
    resolver.resolveSrv("web.api.default.drover")
      .then(([{ name, port }]) => resolver.resolve4(name).then(([host]) => fetch("http://" + host + ":" + port)))
      .then((answer) => answer.json())
      .then(({ instance }) => console.log(instance));`;
  assert.match(await drover.run("exec", "web", "--", "node", "-e", script), /^default\/api\/web\.1\./m);

  const found = await ports();
  assert.equal(found.length, 2);
  for (const port of found) assert.equal((await request({ port, method: "GET", path: "/", headers: { host: "x" } })).status, 200);
  await drover.run("scale", "api", "web=1");
  await drover.until("one is left", async () => (await ports()).length === 1);

  await drover.kill("server");
  assert.equal((await ports()).length, 1, "the names do not need the server");
  await drover.ready();

  await drover.run("stop", "api");
  await drover.until("an app without instances has a name and no address", async () => {
    const code = await resolver.resolve4("api.default.drover").catch((error: { code: string }) => error.code);
    return code === "ENODATA";
  });
  await drover.run("destroy", "api", "--yes");
  await drover.until("an app that is gone has no name", async () => {
    const code = await resolver.resolve4("api.default.drover").catch((error: { code: string }) => error.code);
    return code === "ENOTFOUND";
  });
});

test("an address for DNS that somebody has is a refusal if it was asked for, and no DNS if it was not", async () => {
  const [dns = 0] = await freePorts(1);
  await using first = await TestDrover.start({ args: ["--dns", `127.0.0.1:${dns}`] });
  await using second = await TestDrover.prepare();
  const refused = await second.cli([
    "up",
    "--api",
    `127.0.0.1:${second.apiPort}`,
    "--http",
    `127.0.0.1:${second.edgePort}`,
    "--dns",
    `127.0.0.1:${dns}`,
  ]);
  assert.match(refused.stderr, /DNS cannot listen on 127\.0\.0\.1:\d+: it is taken by .*--dns HOST:PORT/s);
  const wrong = await second.cli(["up", "--dns-allow", "everybody"]);
  assert.match(wrong.stderr, /"everybody" is no network/);
  await second.up();
  assert.match(await second.status(), /^dns +off$/m);
  assert.match(await first.status(), /^dns +127/m);
});

async function startDnsmasq(t: TestContext, port: number, args: readonly string[]): Promise<void> {
  const always = [
    "--keep-in-foreground",
    "--conf-file=/dev/null",
    "--no-hosts",
    "--bind-interfaces",
    "--listen-address=127.0.0.1",
    "--pid-file",
  ];
  const user = process.getuid?.() === 0 ? ["--user=root"] : [];
  const child = spawn(dnsmasq ?? "", [...always, ...user, `--port=${port}`, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  t.after(async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  for (let tries = 0; tries < 200; tries++) {
    const { rcode } = await ask(port, "started.test");
    if (rcode !== null) return;
  }
  throw new Error("dnsmasq does not answer");
}

/** What dig says; no code if nobody answered. */
async function ask(
  port: number,
  name: string,
  ...more: readonly string[]
): Promise<{ readonly rcode: string | null; readonly answers: readonly string[] }> {
  const args = ["@127.0.0.1", "-p", String(port), "+tries=1", "+time=4", "+noadditional", "+noauthority", ...more, name];
  const { stdout } = await execute(dig ?? "", args).catch((error: { stdout: string }) => error);
  return {
    rcode: /status: (\w+)/.exec(stdout)?.[1] ?? null,
    answers: stdout
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith(";"))
      .map((line) => line.split(/\s+/).slice(3).join(" ")),
  };
}

test("a machine's own resolver leads to the names, and the names' resolver to the machine's", async (t) => {
  if (dig === null || dnsmasq === null)
    return t.skip("dig or dnsmasq is not here (Debian: bind9-dnsutils, dnsmasq-base): the chain of resolvers was not tested");
  const [dns = 0, front = 0, back = 0] = await freePorts(3);
  await startDnsmasq(t, back, ["--no-resolv", "--host-record=outside.example,192.0.2.7", `--txt-record=long.example,${"x".repeat(250)}`]);
  await startDnsmasq(t, front, ["--no-resolv", `--server=/drover/127.0.0.1#${dns}`, `--server=127.0.0.1#${back}`]);
  await using drover = await TestDrover.start({ args: ["--dns", `127.0.0.1:${dns}`, "--dns-upstream", `127.0.0.1:${back}`] });
  await drover.apply(manifest("api", 2));

  assert.deepEqual((await ask(front, "api.default.drover")).answers, ["A 127.0.0.1"]);
  assert.equal((await ask(front, "api.default.drover", "-t", "SRV")).answers.length, 2);
  assert.equal((await ask(front, "nope.default.drover")).rcode, "NXDOMAIN");
  assert.deepEqual(await ask(front, "default.drover"), { rcode: "NOERROR", answers: [] });
  for (const transport of ["+notcp", "+tcp"]) {
    assert.deepEqual((await ask(dns, "outside.example", transport)).answers, ["A 192.0.2.7"]);
    assert.deepEqual((await ask(dns, "aPi.deFault.DROVER", transport)).answers, ["A 127.0.0.1"]);
  }
  assert.equal((await ask(dns, "long.example", "-t", "TXT", "+noedns")).answers.length, 1, "what is too long for its query comes over TCP");
  assert.equal((await ask(dns, "drover", "-t", "AXFR")).rcode, null, "nobody gets the whole zone");
});

test("two resolvers that forward to each other end what goes in a circle, and both go on answering", async (t) => {
  if (dig === null || dnsmasq === null)
    return t.skip("dig or dnsmasq is not here (Debian: bind9-dnsutils, dnsmasq-base): circles of resolvers were not tested");
  const [dns = 0, front = 0] = await freePorts(2);
  await startDnsmasq(t, front, ["--no-resolv", `--server=127.0.0.1#${dns}`, "--host-record=started.test,127.0.0.1"]);
  await using drover = await TestDrover.start({ args: ["--dns", `127.0.0.1:${dns}`, "--dns-upstream", `127.0.0.1:${front}`] });
  await drover.apply(manifest("api", 1));
  for (const port of [dns, front]) {
    assert.equal((await ask(port, "some-name.that-goes-in.circles.example")).rcode, "SERVFAIL");
    assert.deepEqual((await ask(port, "api.default.drover")).answers, ["A 127.0.0.1"]);
  }
});

test("Unbound leads to the names by the recipe of the guide", async (t) => {
  if (dig === null || unbound === null)
    return t.skip("dig or unbound is not here (Debian: bind9-dnsutils, unbound): its recipe was not tested");
  const [dns = 0, front = 0] = await freePorts(2);
  const folder = await mkdtemp(join(tmpdir(), "drover-unbound-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "unbound.conf");
  const own = `directory: "${folder}"\n  chroot: ""\n  username: ""\n  pidfile: ""\n  use-syslog: no\n  interface: 127.0.0.1@${front}\n  module-config: "iterator"`;
  const recipe = `do-not-query-localhost: no\n  domain-insecure: "drover"\nstub-zone:\n  name: "drover"\n  stub-addr: 127.0.0.1@${dns}\n`;
  await writeFile(file, `server:\n  ${own}\n  ${recipe}`);
  await using drover = await TestDrover.start({ args: ["--dns", `127.0.0.1:${dns}`] });
  await drover.apply(manifest("api", 2));
  const child = spawn(unbound, ["-d", "-c", file], { stdio: "ignore" });
  t.after(async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  await drover.until("Unbound answers", async () => (await ask(front, "api.default.drover")).rcode === "NOERROR");
  assert.deepEqual((await ask(front, "api.default.drover")).answers, ["A 127.0.0.1"]);
  assert.equal((await ask(front, "api.default.drover", "-t", "SRV")).answers.length, 2);
  assert.equal((await ask(front, "nope.default.drover")).rcode, "NXDOMAIN");
});
