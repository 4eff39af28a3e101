import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import type { InstanceId } from "#model/names.ts";
import type { HeldInstance } from "./held-instance.ts";
import { InstanceMeter } from "./instance-usage.ts";
import { sendSignal } from "./proc.ts";

const id = "default/app/web.1.aaaaa" as InstanceId;

/** A process that leads a session of its own; everything in it is ended after the test. */
async function start(t: TestContext, command: string) {
  const child = spawn("/bin/sh", ["-c", command], { detached: true, stdio: ["ignore", "pipe", "inherit"] });
  const { pid = 0, stdout } = child;
  t.after(() => sendSignal(-pid, "SIGKILL"));
  // It has started what it starts once it says so.
  await once(stdout, "data");
  return { child, pid };
}

/** An instance whose parent is that process. @param pids what its control group lists; null without one */
function held(parent: number, pids: () => readonly number[] | null): HeldInstance {
  return { id, run: { process: { parent: { pid: parent } }, cgroup: { pids: async () => pids() } } } as unknown as HeldInstance;
}

test("without control groups an instance is the session of its parent, and the parent counts for nothing", async (t) => {
  const { pid } = await start(t, "sleep 600 & sleep 600 & echo up; wait");
  const [usage] = await new InstanceMeter().measure([held(pid, () => null)]);
  assert.deepEqual([usage?.id, usage?.processes], [id, 2]);
  assert.ok((usage?.memoryBytes ?? 0) > 0);
});

test("processor time does not fall when a process ends that had used most of it", async (t) => {
  const busy = await start(t, "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo up; sleep 600");
  const idle = await start(t, "echo up; sleep 600");
  const meter = new InstanceMeter();
  let pids = [busy.pid, idle.pid];
  const instance = held(1, () => pids);
  const [before] = await meter.measure([instance]);
  assert.ok((before?.cpuSeconds ?? 0) > 0);
  pids = [idle.pid];
  const [after] = await meter.measure([instance]);
  assert.deepEqual([after?.processes, after?.cpuSeconds], [1, before?.cpuSeconds]);
});

test("what does not run, and what has just ended, is left out", async (t) => {
  const ended = await start(t, "echo up; sleep 600");
  const over = once(ended.child, "exit");
  sendSignal(-ended.pid, "SIGKILL");
  await over;
  const none = { id, run: null } as unknown as HeldInstance;
  assert.deepEqual(await new InstanceMeter().measure([none, held(1, () => [ended.pid])]), []);
});
