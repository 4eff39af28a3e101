import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { readTextIfThere } from "#host/files.ts";
import type { WorkloadId } from "#model/names.ts";
import type { Instance } from "#model/workload.ts";
import { workload } from "../testing/workload.ts";
import { isAlive, readProcess } from "./proc.ts";
import { findStrays } from "./process-group.ts";
import { readExitStatus } from "./shim.ts";
import { localWorld } from "./testing/local-world.ts";

const node = process.execPath;
/** Serves its pid on $PORT; `listen` replaces the arguments of listen(). */
const server = (listen = "process.env.PORT") =>
  `exec ${node} -e 'require("http").createServer((q,s)=>s.end(String(process.pid))).listen(${listen})'`;
const isReady = (instances: readonly Instance[]) => instances.length > 0 && instances.every(({ ready }) => ready);
const isRoot = process.getuid?.() === 0;

test("a service with a port becomes ready and answers there", async (t) => {
  const world = await localWorld(t);
  const engine = await world.open();
  await engine.apply(workload(server(), { port: "auto" }), t.signal);
  const [instance] = await world.until(engine, isReady);
  assert.equal(await (await fetch(`http://127.0.0.1:${instance?.port}/`)).text(), String(instance?.pid));
});

test("a killed instance comes back in place: same id, same port", async (t) => {
  const world = await localWorld(t);
  const engine = await world.open();
  await engine.apply(workload(server(), { port: "auto" }), t.signal);
  const [before] = await world.until(engine, isReady);
  process.kill(before?.pid ?? 0, "SIGKILL");
  const [after] = await world.until(engine, ([one]) => one?.ready === true && one.restarts === 1);
  assert.deepEqual([after?.id, after?.port, after?.exit?.signal], [before?.id, before?.port, "SIGKILL"]);
  assert.notEqual(after?.pid, before?.pid);
});

test("an app that exits at once is started again with growing waits, and says how it ended", async (t) => {
  const world = await localWorld(t);
  const engine = await world.open();
  await engine.apply(workload("echo no config; exit 3"), t.signal);
  const [instance] = await world.until(engine, ([one]) => one?.state === "backoff" && one.restarts >= 3);
  assert.deepEqual([instance?.exit?.code, instance?.reason], [3, { code: "EXITED", message: "exited with code 3" }]);
  assert.match(world.output.text(instance?.id ?? ("" as never)), /no config\n<warn: exited with code 3>\n/);
});

test("an app gets its environment as it was given, at its first start and at those after it", async (t) => {
  const world = await localWorld(t);
  const engine = await world.open();
  const names = ["folder", "word", "child", "status", "has_run"];
  const env = Object.fromEntries(names.map((name) => [name, `its ${name}`]));
  await engine.apply(workload(`echo ${names.map((name) => `"$${name}"`).join()}; exit 3`, { env }), t.signal);
  const [instance] = await world.until(engine, ([one]) => one?.state === "backoff" && one.restarts >= 2);
  const lines = world.output.text(instance?.id ?? ("" as never)).split("\n");
  const said = lines.filter((line) => line.startsWith("its "));
  assert.equal(said.length >= 2, true);
  assert.deepEqual(new Set(said), new Set([names.map((name) => `its ${name}`).join()]));
});

test("the end of an instance that was to stop, or of a task that has done its work, is no warning", async (t) => {
  const world = await localWorld(t);
  const engine = await world.open();
  const service = workload("exec sleep 60");
  await engine.apply(service, t.signal);
  const [instance] = await world.until(engine, isReady);
  await engine.remove(service.id, service.revision, t.signal);
  await world.until(engine, (instances) => instances.length === 0);
  assert.equal(world.output.text(instance?.id ?? ("" as never)), "<info: ended by SIGTERM>\n");
  await engine.apply(workload("true", { kind: "task", revision: service.revision + 1 }), t.signal);
  const [task] = await world.until(engine, ([one]) => one?.state === "exited");
  assert.equal(world.output.text(task?.id ?? ("" as never)), "<info: exited with code 0>\n");
});

test("a command that does not exist is told as such", async (t) => {
  const world = await localWorld(t);
  const engine = await world.open();
  await engine.apply(workload("no-such-program --flag"), t.signal);
  const [instance] = await world.until(engine, ([one]) => one?.state === "backoff");
  assert.equal(instance?.reason?.message, "exited with code 127: the command was not found");
});

test("an app that listens on another port is told which, and never becomes ready", async (t) => {
  const world = await localWorld(t);
  const engine = await world.open();
  const free = net.createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port } = free.address() as net.AddressInfo;
  await new Promise((resolve) => free.close(resolve));
  await engine.apply(workload(server(String(port)), { port: "auto" }), t.signal);
  const [instance] = await world.until(engine, ([one]) => one?.reason?.message.startsWith("listens on") === true);
  assert.equal(instance?.reason?.message, `listens on ${port}, not on $PORT ${instance?.port}`);
  assert.equal(instance?.ready, false);
});

test("an app that listens on ::1 only is told so", async (t) => {
  const world = await localWorld(t);
  const engine = await world.open();
  await engine.apply(workload(server('process.env.PORT, "::1"'), { port: "auto" }), t.signal);
  const [instance] = await world.until(engine, ([one]) => /::1/.test(one?.reason?.message ?? ""));
  assert.equal(instance?.ready, false);
});

test("a fixed port that somebody else has is named with its owner, and nothing is sent there", async (t) => {
  const world = await localWorld(t);
  const engine = await world.open();
  const stranger = net.createServer().listen(0, "127.0.0.1");
  t.after(() => stranger.close());
  await once(stranger, "listening");
  const { port } = stranger.address() as net.AddressInfo;
  await engine.apply(workload(server(), { port }), t.signal);
  const [instance] = await world.until(engine, ([one]) => one?.reason?.code === "PORT_IN_USE");
  assert.match(instance?.reason?.message ?? "", new RegExp(`port ${port} is taken by process ${process.pid} `));
});

test("a stranger on the chosen port never counts as the instance, which gets another port", async (t) => {
  const world = await localWorld(t);
  const engine = await world.open();
  await engine.apply(workload("sleep 30", { port: "auto" }), t.signal);
  const [first] = await world.until(engine, ([one]) => one?.state === "running");
  const stranger = net.createServer().listen(first?.port ?? 0, "127.0.0.1");
  t.after(() => stranger.close());
  const [moved] = await world.until(engine, ([one]) => one?.state === "running" && one.port !== first?.port);
  assert.equal(moved?.ready, false);
  assert.equal(moved?.id, first?.id);
});

test("children and daemons in sessions of their own end with their instance", async (t) => {
  const world = await localWorld(t);
  const engine = await world.open();
  const order = workload("sleep 1000 & setsid sh -c 'sleep 1000 & exec sleep 1000' & exec sleep 1000");
  await engine.apply(order, t.signal);
  const [instance] = await world.until(engine, ([one]) => one?.ready === true);
  while ((await findStrays(join(world.folder, "instances"))).size < 5) await new Promise(setImmediate);
  await engine.remove(order.id, order.revision + 1, t.signal);
  await world.until(engine, (instances) => instances.length === 0);
  const left = [...(await findStrays(join(world.folder, "instances"))).keys()];
  assert.deepEqual(left, []);
  assert.equal(await readProcess(instance?.pid ?? 0), null);
});

test("an app that ignores its signal is killed after its grace time", async (t) => {
  const world = await localWorld(t);
  const engine = await world.open();
  const order = workload("trap '' TERM; touch $TMPDIR/deaf; while :; do sleep 0.1; done", {
    // A shell that has not come to its trap yet would end by the signal, as it should.
    ready: { target: { kind: "command", run: "test -e $TMPDIR/deaf" }, everyMs: 1_000, timeoutMs: 1_000, failures: 1 },
    stop: { signal: "SIGTERM", drainMs: 0, graceMs: 300 },
  });
  await engine.apply(order, t.signal);
  const [instance] = await world.until(engine, ([one]) => one?.ready === true);
  await engine.apply({ ...order, count: 0, revision: order.revision + 1 }, t.signal);
  await world.until(engine, (instances) => instances.length === 0);
  assert.match(world.output.text(instance?.id ?? ("" as never)), /killed: it did not end within its grace time/);
});

test("a new engine takes over what runs: nothing is doubled, nothing restarted", async (t) => {
  const world = await localWorld(t);
  const first = await world.open();
  await first.apply(workload(server(), { port: "auto", count: 3 }), t.signal);
  const before = await world.until(first, (instances) => instances.length === 3 && isReady(instances));
  await first.close();
  const second = await world.open();
  const after = await world.until(second, isReady);
  const facts = (instances: readonly Instance[]) =>
    instances.map(({ id, pid, port, restarts }) => ({ id, pid, port, restarts })).sort((a, b) => (a.id < b.id ? -1 : 1));
  assert.deepEqual(facts(after), facts(before));
});

test("the exit status and the last words of an instance that ended while no agent was there are known to the next", async (t) => {
  const world = await localWorld(t);
  const first = await world.open();
  const command = "until [ -e $TMPDIR/go ]; do sleep 0.01; done; echo last words; exit 7";
  await first.apply(workload(command, { kind: "task" }), t.signal);
  const [task] = await world.until(first, ([one]) => one?.state === "running");
  const folder = join(world.folder, "instances", task?.id ?? "");
  await first.close();
  await writeFile(join(folder, "tmp", "go"), "");
  while ((await readExitStatus(join(folder, "io", "exit"))) === null) await new Promise(setImmediate);
  const second = await world.open();
  const [ended] = await world.until(second, ([one]) => one?.state === "exited");
  assert.deepEqual([ended?.id, ended?.exit?.code], [task?.id, 7]);
  assert.match(world.output.text(task?.id ?? ("" as never)) + ((await readTextIfThere(join(folder, "spill"))) ?? ""), /last words|spill/);
});

test("a process that got the number of a dead instance is neither adopted nor signalled", async (t) => {
  const world = await localWorld(t);
  const first = await world.open();
  await first.apply(workload("exec sleep 1000"), t.signal);
  const [instance] = await world.until(first, ([one]) => one?.ready === true);
  await first.stopAll(() => true, 0, AbortSignal.abort());
  await first.close();
  const file = join(world.folder, "instances", instance?.id ?? "", "record.json");
  const record = JSON.parse(await readFile(file, "utf8"));
  const bootId = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  const stranger = { pid: process.pid, startTicks: 1 };
  await writeFile(file, JSON.stringify({ ...record, run: { bootId, parent: stranger, main: stranger } }));
  const second = await world.open();
  const [again] = await world.until(second, ([one]) => one?.ready === true);
  assert.equal(again?.id, instance?.id);
  assert.notEqual(again?.pid, process.pid);
});

test("a task runs once: a later agent does not run it again", async (t) => {
  const world = await localWorld(t);
  const first = await world.open();
  await first.apply(workload("echo migrated; exit 4", { kind: "task" }), t.signal);
  const [done] = await world.until(first, ([one]) => one?.state === "exited");
  assert.equal(done?.exit?.code, 4);
  await first.close();
  const second = await world.open();
  const [still] = await world.until(second, (instances) => instances.length > 0);
  assert.deepEqual([still?.id, still?.state, still?.exit?.code], [done?.id, "exited", 4]);
  assert.equal(world.output.text(done?.id ?? ("" as never)).match(/migrated/g)?.length, 1);
});

test("a task that runs over its time is stopped, and says so", async (t) => {
  const world = await localWorld(t);
  const engine = await world.open();
  await engine.apply(workload("exec sleep 1000", { kind: "task", timeoutMs: 200 }), t.signal);
  const [task] = await world.until(engine, ([one]) => one?.state === "exited");
  assert.equal(task?.reason?.code, "TIMED_OUT");
});

test("a new restart token restarts ready instances one after another, each in place", async (t) => {
  const world = await localWorld(t);
  const engine = await world.open();
  const order = workload(server(), { port: "auto", count: 3 });
  await engine.apply(order, t.signal);
  const before = await world.until(engine, (instances) => instances.length === 3 && isReady(instances));
  await engine.apply({ ...order, restartToken: "two", revision: order.revision + 1 }, t.signal);
  let fewest = 3;
  const after = await world.until(engine, (instances) => {
    fewest = Math.min(fewest, instances.filter(({ ready }) => ready).length);
    return isReady(instances) && instances.every(({ restartToken }) => restartToken === "two");
  });
  assert.equal(fewest, 2);
  assert.deepEqual(after.map(({ id }) => id).sort(), before.map(({ id }) => id).sort());
});

test("an older order is refused", async (t) => {
  const world = await localWorld(t);
  const engine = await world.open();
  const order = workload("exec sleep 1000", { revision: 50_000 });
  await engine.apply(order, t.signal);
  await assert.rejects(engine.apply({ ...order, revision: 49_999 }, t.signal), { code: "ORDER_OUTDATED" });
  await assert.rejects(engine.remove(order.id, 49_999, t.signal), { code: "ORDER_OUTDATED" });
});

test("secrets reach the app and are not to be read from the order on disk", async (t) => {
  const world = await localWorld(t);
  const engine = await world.open();
  const order = workload("echo $TOKEN; exec sleep 1000", { secrets: { TOKEN: "canary-4711" } });
  await engine.apply(order, t.signal);
  const [instance] = await world.until(engine, ([one]) => one?.ready === true);
  while (!world.output.text(instance?.id ?? ("" as never)).includes("canary-4711")) await new Promise(setImmediate);
  assert.doesNotMatch(await readFile(join(world.folder, "orders", "team", "app", "web.1.json"), "utf8"), /canary/);
  await engine.close();
  const next = await world.open();
  await world.until(next, ([one]) => one?.ready === true);
});

test("an app's environment holds what Drover states and nothing of the agent's own", async (t) => {
  process.env["DROVER_TEST_LEAK"] = "1";
  const world = await localWorld(t);
  const engine = await world.open();
  await engine.apply(
    workload("env | sed 's/=.*//' | sort | tr '\\n' ' '; umask; ls /proc/self/fd | grep '^[0-9]$' | wc -l; exit 0", {
      kind: "task",
      port: "auto",
      volumes: ["up-loads"],
    }),
    t.signal,
  );
  const [task] = await world.until(engine, ([one]) => one?.state === "exited");
  const [names, umask, descriptors] = world.output.text(task?.id ?? ("" as never)).split(/ (?=\d{4}\n)|\n/);
  assert.equal(
    names?.trim(),
    "DROVER_APP DROVER_INSTANCE DROVER_PROCESS DROVER_RELEASE DROVER_SPACE HOME LANG PATH PORT PWD TMPDIR UP_LOADS_DIR",
  );
  // Input, both outputs, and the one with which `ls` looks. What the shell that runs the tests hands down has higher numbers.
  assert.deepEqual([umask, descriptors?.trim()], ["0077", "4"]);
});

test("an app is told where to listen: where other machines reach it, or where only its own does", async (t) => {
  const world = await localWorld(t, { listenHost: "0.0.0.0" });
  const engine = await world.open();
  for (const isPrivate of [false, true]) {
    const id = `team/app/${isPrivate ? "alone" : "reached"}/1` as WorkloadId;
    await engine.apply(workload('echo "at $HOST"; exit 0', { id, kind: "task", ...(isPrivate ? { isPrivate } : {}) }), t.signal);
  }
  const tasks = await world.until(engine, (all) => all.length === 2 && all.every(({ state }) => state === "exited"));
  assert.deepEqual(tasks.map(({ id }) => /^at \S+$/m.exec(world.output.text(id))?.[0]).sort(), ["at 0.0.0.0", "at 127.0.0.1"]);
});

test("stopping everything leaves nothing running, and the next engine brings it back in place", async (t) => {
  const world = await localWorld(t);
  const first = await world.open();
  await first.apply(workload(server(), { port: "auto", count: 2 }), t.signal);
  const before = await world.until(first, (instances) => instances.length === 2 && isReady(instances));
  await first.stopAll(() => true, 5_000, t.signal);
  assert.deepEqual(await Promise.all(before.map(({ pid }) => readProcess(pid ?? 0))), [null, null]);
  await first.close();
  const second = await world.open();
  const after = await world.until(second, isReady);
  const places = (instances: readonly Instance[]) => instances.map(({ id, port }) => `${id} ${port}`).sort();
  assert.deepEqual(places(after), places(before));
});

test("what an earlier agent lost track of is ended at the start", async (t) => {
  const world = await localWorld(t);
  const first = await world.open();
  await first.apply(workload("exec sleep 1000"), t.signal);
  const [instance] = await world.until(first, ([one]) => one?.ready === true);
  const stray = await readProcess(instance?.pid ?? 0);
  await first.close();
  await rm(join(world.folder, "instances", instance?.id ?? "", "record.json"));
  await world.open();
  assert.ok(stray);
  while (await isAlive(stray)) await new Promise(setImmediate);
});

test("an app over its memory limit ends as a whole, and the reason names the limit", async (t) => {
  const world = await localWorld(t);
  const engine = await world.open();
  if (!(await engine.machine(t.signal)).isolation.memory.holds) return t.skip("no memory limits on this machine");
  const eat = `exec ${node} -e 'const a=[];for(;;)a.push(Buffer.alloc(4e6,1))'`;
  await engine.apply(workload(eat, { resources: { cpu: null, memoryBytes: 96 * 2 ** 20, pids: 64 } }), t.signal);
  const [instance] = await world.until(engine, ([one]) => one?.exit !== null && one?.exit !== undefined);
  assert.equal(instance?.exit?.outOfMemory, true);
  assert.match(world.output.text(instance?.id ?? ("" as never)), /ran out of memory \(limit 96MiB, peak \d/);
});

test("an app that forks without end stays within its number of processes, and is ended in one go", async (t) => {
  const world = await localWorld(t);
  const engine = await world.open();
  const { isolation } = await engine.machine(t.signal);
  if (!isolation.pids.holds || !isolation["group-kill"].holds) return t.skip("no limit on processes on this machine");
  const order = workload("while :; do sleep 1000 & done 2>/dev/null", { resources: { cpu: null, memoryBytes: null, pids: 24 } });
  await engine.apply(order, t.signal);
  await world.until(engine, ([one]) => one?.state === "running" || one?.state === "backoff");
  await engine.remove(order.id, order.revision + 1, t.signal);
  await world.until(engine, (instances) => instances.length === 0);
  assert.deepEqual([...(await findStrays(join(world.folder, "instances"))).keys()], []);
});

test("each app runs as a user of its own, which cannot enter another's folders", { skip: !isRoot }, async (t) => {
  const world = await localWorld(t, { isRoot: true });
  const engine = await world.open();
  if (!(await engine.machine(t.signal)).isolation.uid.holds) return t.skip("other users cannot pass through the temporary folder");
  await engine.apply(workload("exec sleep 1000", { id: "team/one/web/1" as WorkloadId }), t.signal);
  const [one] = await world.until(engine, ([first]) => first?.ready === true);
  await engine.apply(
    workload(`ls ${join(world.folder, "instances", one?.id ?? "", "tmp")}; id -u; exit 0`, {
      id: "team/two/web/1" as WorkloadId,
      kind: "task",
    }),
    t.signal,
  );
  const both = await world.until(engine, (instances) => instances.some(({ state }) => state === "exited"));
  const two = both.find(({ state }) => state === "exited");
  assert.match(world.output.text(two?.id ?? ("" as never)), /Permission denied\n4000\d\n/);
  assert.equal((await stat(`/proc/${one?.pid}`)).uid >= 40_000, true);
});
