import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { TestDrover } from "../harness/drover.ts";
import { isLinked } from "../harness/fleet.ts";
import { type Host, Hosts, whyNoHosts } from "../harness/hosts.ts";

const why = whyNoHosts();
const skip = why === null ? false : `three hosts on one network were not tried: ${why}`;

const web = "require('http').createServer((q, s) => s.end(process.env.DROVER_INSTANCE)).listen(process.env.PORT)";
const manifest = `app: hello\nrun: exec node -e "${web}"\ninstances: 6\nstop: { drain: 2s, grace: 2s }\n`;
const linkPort = 7374;

/** Three hosts, of which the first runs the server and the others have joined, with an app that has two instances on each. */
async function setUp(context: TestContext): Promise<{ readonly hosts: Hosts; readonly first: TestDrover }> {
  const hosts = await Hosts.up(3);
  context.after(() => hosts[Symbol.asyncDispose]());
  const link = `${hosts.get("h1").address}:${linkPort}`;
  const first = await TestDrover.prepare({ host: hosts.get("h1") });
  context.after(() => first[Symbol.asyncDispose]());
  await first.up(["--link", link]);
  for (const name of ["h2", "h3"]) {
    const machine = await TestDrover.prepare({ host: hosts.get(name) });
    context.after(() => machine[Symbol.asyncDispose]());
    const file = join(machine.home, "join-token");
    await first.run("machine", "token", name, "--out", file);
    machine.launch(["--join", link, "--token-file", file]);
    await first.until(`${name} is linked`, () => isLinked(first, name));
  }
  await first.apply(manifest);
  assert.deepEqual(await readyOn(first), { h1: 2, h2: 2, h3: 2 });
  return { hosts, first };
}

/** Ready instances by machine. */
async function readyOn(first: TestDrover): Promise<Readonly<Record<string, number>>> {
  const { instances } = JSON.parse(await first.run("ps", "hello", "--json"));
  const counts: Record<string, number> = {};
  for (const { machine } of instances.filter(({ ready }: { ready: boolean }) => ready)) counts[machine] = (counts[machine] ?? 0) + 1;
  return Object.fromEntries(Object.entries(counts).sort());
}

/** Who answered so many requests through the edge of `host`; an empty text for one that failed. */
function answers(host: Host, port: number, count: number): readonly string[] {
  const ask = `const got = []; for (let i = 0; i < ${count}; i++) got.push(await new Promise((done) => require("http").get({ host: "127.0.0.1",
    port: ${port}, headers: { host: "hello.default.localhost" }, agent: false, timeout: 10000 }, (answer) => { let text = ""; answer.on("data", (part) => text += part);
    answer.on("end", () => done(answer.statusCode === 200 ? text : "")); }).on("error", () => done("")).on("timeout", function () { this.destroy(); })));
    console.log(JSON.stringify(got));`;
  const [program = "", ...args] = host.enter;
  const { stdout } = spawnSync(program, [...args, process.execPath, "-e", `(async () => {${ask}})()`], { encoding: "utf8" });
  return JSON.parse(stdout);
}

test("apps on three hosts are served by all, outlive a cable that is cut and a power that is lost, and what must not run twice never does", {
  skip,
}, async (t) => {
  const { hosts, first } = await setUp(t);
  await reachesAll(first, hosts.get("h1"));

  const fence = await startFenced(first);
  const before = await idsOn(first, "h2");
  hosts.get("h2").cut();
  await first.until(
    "what h2 ran is started elsewhere",
    async () => (await readyOn(first))["h2"] === undefined && (await total(first)) === 6,
  );
  await first.until("what must not run twice runs on another host", async () => (await runsIn(fence)).length === 2);
  hosts.get("h2").heal();
  await first.until("h2 is back, and there are six again", async () => {
    const { instances } = JSON.parse(await first.run("ps", "hello", "--json"));
    return instances.length === 6 && instances.every(({ ready }: { ready: boolean }) => ready) && (await isLinked(first, "h2"));
  });
  const kept = (await idsOn(first, "h2")).filter((id) => before.includes(id));
  assert.ok(kept.length > 0, "an instance of h2 that ran on serves again");
  await first.until("one instance is left of what must not run twice", async () => (await instancesOf(first, "fenced")).length === 1);
  const [earlier, later, ...more] = await runsIn(fence);
  assert.ok(earlier !== undefined && later !== undefined && more.length === 0, "it ran on one host, then on the other");
  assert.ok(earlier.untilNs < later.fromNs, "it had ended on the one before it began on the other");
  t.diagnostic(`nobody ran it for ${(later.fromNs - earlier.untilNs) / 1_000_000n} ms`);

  await hosts.get("h3").powerOff();
  const startedAt = performance.now();
  await first.until(
    "what h3 ran is started elsewhere",
    async () => (await readyOn(first))["h3"] === undefined && (await total(first)) === 6,
  );
  t.diagnostic(`served elsewhere after ${Math.round(performance.now() - startedAt)} ms`);
  await reachesAll(first, hosts.get("h1"));
  assert.match(await first.run("events"), /machine h3 is lost: what it ran \(\d instances?\) is started on others/);
});

/** An app that must not run twice, on h2 and if need be on h3, each of whose instances writes down all the time that it is there. @returns the file */
async function startFenced(first: TestDrover): Promise<string> {
  const file = await first.file("fence.log", "");
  await chmod(file, 0o666);
  await first.run("machine", "label", "h2", "fenced=yes");
  const run = `while :; do echo "$(date +%s%N) $DROVER_INSTANCE" >>${file}; sleep 0.05; done`;
  await first.apply(`app: fenced\nprocesses: { main: { run: '${run}', only_one: true } }\nplace: { labels: { fenced: "yes" } }\n`);
  await first.run("machine", "label", "h3", "fenced=yes");
  await first.until("it runs", async () => (await runsIn(file)).length === 1);
  return file;
}

/** From when until when each instance was there, by the clock that the hosts share, in the order of their beginnings. */
async function runsIn(file: string): Promise<readonly { readonly fromNs: bigint; readonly untilNs: bigint }[]> {
  const runs = new Map<string, { readonly fromNs: bigint; readonly untilNs: bigint }>();
  for (const line of (await readFile(file, "utf8")).split("\n").slice(0, -1)) {
    const [stamp = "", instance = ""] = line.split(" ");
    const atNs = BigInt(stamp);
    runs.set(instance, { fromNs: runs.get(instance)?.fromNs ?? atNs, untilNs: atNs });
  }
  return [...runs.values()];
}

/** Waits until the edge of the host sends to all instances there are and every request of a round is answered: it learns of one a moment after the server. */
async function reachesAll(first: TestDrover, host: Host): Promise<void> {
  const seen = new Set<string>();
  await first.until(`the edge of ${host.name} sends to the instances of all hosts`, async () => {
    const got = answers(host, first.edgePort, 12);
    assert.ok(!got.includes(""), "no request fails");
    for (const instance of got) seen.add(instance);
    return [...(await idsOn(first, null))].every((id) => seen.has(id));
  });
}

async function total(first: TestDrover): Promise<number> {
  return Object.values(await readyOn(first)).reduce((sum, count) => sum + count, 0);
}

/** @param name of the machine; null: of all */
async function idsOn(first: TestDrover, name: string | null): Promise<readonly string[]> {
  return (await instancesOf(first, "hello")).filter(({ machine }) => name === null || machine === name).map(({ id }) => id);
}

async function instancesOf(first: TestDrover, app: string): Promise<readonly { readonly id: string; readonly machine: string }[]> {
  return JSON.parse(await first.run("ps", app, "--json")).instances;
}
