import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeployManifest } from "#model/manifest.ts";
import type { Exit, InstanceState, Reason } from "#model/workload.ts";
import type { ObservedInstance } from "#plan/rollout/input.ts";
import type { KnownWorkload } from "../fleet/known.ts";
import { isStarting } from "./starting.ts";

const nowMs = 1_000_000;
const app = { target: 2, deploy: { deadline: 60_000 } as DeployManifest };
const crash: Exit = { code: 1, signal: null, outOfMemory: false, atMs: nowMs - 10 };

type Changes = Partial<Pick<ObservedInstance, "state" | "ready" | "exit" | "reason" | "startedAtMs" | "readySinceStart">>;

/** Whether an app that wants three instances of web is starting, with these besides one that is ready. */
function starts(missing: readonly Changes[], { count = 3, reason = null as Reason | null } = {}): boolean {
  const ready: Changes = { ready: true, readySinceStart: true };
  const instances = [ready, ...missing].map((changes, index) => {
    const plain = { state: "running" as InstanceState, ready: false, exit: null, reason: null, readySinceStart: false };
    return [String(index), { ...plain, startedAtMs: nowMs - 500, sinceMs: nowMs - 500, ...changes } as ObservedInstance] as const;
  });
  const workload = { kind: "service", name: { process: "web", release: 2 }, count, instances: new Map(instances), status: { reason } };
  return isStarting(app, [{ name: "web", wanted: 3, ready: 1 }], [workload as unknown as KnownWorkload], nowMs);
}

test("instances that were asked for are starting, from the order until they are ready", () => {
  assert.equal(starts([], { count: 1 }), true, "not ordered yet");
  assert.equal(starts([]), true, "ordered, and not there yet");
  assert.equal(starts([{ state: "starting", startedAtMs: null }, {}]), true);
});

test("an instance that is restarted because somebody asked is starting all the way", () => {
  for (const one of [
    { state: "draining", readySinceStart: true },
    { state: "stopping", readySinceStart: true },
    { state: "backoff", readySinceStart: true, reason: { code: "RESTARTING", message: "is being restarted" } },
    { state: "starting", readySinceStart: true },
    { state: "running" },
  ] satisfies Changes[])
    assert.equal(starts([one, {}]), true, one.state);
});

test("what crashed, lost its readiness, cannot be started or takes longer than a deploy may is not starting", () => {
  assert.equal(starts([{ state: "backoff", exit: crash }, {}]), false, "crashed");
  assert.equal(starts([{ state: "running", exit: crash }, {}]), false, "runs again, after a crash");
  assert.equal(starts([{ readySinceStart: true }, {}]), false, "was ready");
  assert.equal(
    starts([{ state: "backoff", reason: { code: "ARTIFACT_NOT_FOUND", message: "no artifact" } }, {}]),
    false,
    "cannot be started",
  );
  assert.equal(starts([{ startedAtMs: nowMs - 60_000 }, {}]), false, "too long");
  assert.equal(starts([], { reason: { code: "ARTIFACT_NOT_FOUND", message: "no artifact" } }), false, "refused by the engine");
});
