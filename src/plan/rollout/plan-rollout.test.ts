import assert from "node:assert/strict";
import { test } from "node:test";
import { beforeProcess, type ProcessName } from "#model/names.ts";
import { app, input, instance, m1, plainDeploy, release, rolloutOf, room, t0, web, words, workload } from "../testing/planner-world.ts";
import type { RolloutInput } from "./input.ts";
import { planRollout } from "./plan-rollout.ts";

const crashed = { exit: { code: 1, signal: null, outOfMemory: false, atMs: t0 }, restarts: 2 };
const exited = (code: number) =>
  workload(
    2,
    {},
    {
      process: beforeProcess,
      kind: "task",
      count: 1,
      instances: [instance(2, "exited", { exit: { code, signal: null, outOfMemory: false, atMs: t0 } }, beforeProcess)],
    },
  );
const canary = { ...plainDeploy, strategy: "canary" } as const;
const blueGreen = { ...plainDeploy, strategy: "blue-green" } as const;
const first = { app: app({ active: null, target: 1, lastRelease: 1 }), releases: [release(1, "pending")], rollout: rolloutOf(1) };

const cases: readonly (readonly [sentence: string, input: RolloutInput, expected: readonly string[]])[] = [
  [
    "a new target begins its rollout before anything is ordered",
    input({ rollout: null, observed: [workload(1, { ready: 4 })] }),
    ["begin"],
  ],
  ["a newer target replaces the rollout of one that is under way", input({ rollout: rolloutOf(1) }), ["begin"]],
  ["while the agent cannot be asked, nothing is done", input({ observed: null }), []],

  ["the first release starts all its instances at once", input({ ...first }), ["web.1 → 4"]],
  ["a rolling deploy starts as many as the surge allows", input({ observed: [workload(1, { ready: 4 })] }), ["web.2 → 1"]],
  ["it waits while the new instance is not ready", input({ observed: [workload(1, { ready: 4 }), workload(2, { starting: 1 })] }), []],
  ["a ready new instance lets one old go", input({ observed: [workload(1, { ready: 4 }), workload(2, { ready: 1 })] }), ["web.1 → 3"]],
  [
    "a draining old instance keeps its place until it is gone",
    input({ observed: [workload(1, { ready: 3, draining: 1 }), workload(2, { ready: 1 })] }),
    [],
  ],
  ["once it is gone the next new one starts", input({ observed: [workload(1, { ready: 3 }), workload(2, { ready: 1 })] }), ["web.2 → 2"]],
  [
    "with all new instances ready the release is active",
    input({ observed: [workload(1, { ready: 1 }), workload(2, { ready: 4 })] }),
    ["activate"],
  ],
  [
    "after that what is left of the old one goes",
    input({ app: app({ active: 2 }), rollout: null, observed: [workload(1, { ready: 1 }), workload(2, { ready: 4 })] }),
    ["remove web.1"],
  ],
  [
    "an old instance that is not ready gives its place to a new one",
    input({ observed: [workload(1, { ready: 4, backoff: 1 })] }),
    ["web.1 → 4"],
  ],
  [
    "a release in between goes at once where it is not ready",
    input({
      app: app({ target: 3, lastRelease: 3 }),
      releases: [release(1, "active"), release(2, "superseded"), release(3, "pending")],
      rollout: rolloutOf(3),
      observed: [workload(1, { ready: 4 }), workload(2, { starting: 1 })],
    }),
    ["remove web.2"],
  ],
  [
    "but not where its ready instances are needed",
    input({
      app: app({ target: 3, lastRelease: 3 }),
      releases: [release(1, "active"), release(2, "superseded"), release(3, "pending")],
      rollout: rolloutOf(3),
      observed: [workload(1, { ready: 2 }), workload(2, { ready: 2 })],
    }),
    ["web.3 → 1"],
  ],
  [
    "scaling up takes effect at once",
    input({ app: app({ active: 2, instances: { [web]: 6 } }), rollout: null, observed: [workload(2, { ready: 4 })] }),
    ["web.2 → 6"],
  ],
  [
    "scaling down too",
    input({ app: app({ active: 2, instances: { [web]: 1 } }), rollout: null, observed: [workload(2, { ready: 4 })] }),
    ["web.2 → 1"],
  ],
  [
    "scaling to nothing removes the workload",
    input({ app: app({ active: 2, instances: { [web]: 0 } }), rollout: null, observed: [workload(2, { ready: 4 })] }),
    ["remove web.2"],
  ],
  [
    "an order that is out of date is given again",
    input({ app: app({ active: 2 }), rollout: null, observed: [workload(2, { ready: 4 }, { isCurrent: false })] }),
    ["web.2 → 4"],
  ],
  [
    "a process that only the old release has stays until the new one is active",
    input({
      observed: [workload(1, { ready: 4 }), workload(1, { ready: 1 }, { process: "worker" as ProcessName }), workload(2, { starting: 1 })],
    }),
    [],
  ],
  [
    "and goes then",
    input({
      app: app({ active: 2 }),
      rollout: null,
      observed: [workload(2, { ready: 4 }), workload(1, { ready: 1 }, { process: "worker" as ProcessName })],
    }),
    ["remove worker.1"],
  ],
  [
    "two releases that insist on one port follow one another",
    input({
      app: app({ instances: { [web]: 1 } }),
      releases: [release(1, "active", { process: { port: 8080 } }), release(2, "pending", { process: { port: 8080 } })],
      observed: [workload(1, { ready: 1 })],
    }),
    ["remove web.1"],
  ],

  [
    "blue-green starts all new instances beside the old",
    input({ app: app({ deploy: blueGreen }), observed: [workload(1, { ready: 4 })] }),
    ["web.2 → 4"],
  ],
  [
    "and leaves the old ones alone until all new are ready",
    input({ app: app({ deploy: blueGreen }), observed: [workload(1, { ready: 4 }), workload(2, { ready: 3, starting: 1 })] }),
    [],
  ],
  [
    "then it switches",
    input({ app: app({ deploy: blueGreen }), observed: [workload(1, { ready: 4 }), workload(2, { ready: 4 })] }),
    ["activate"],
  ],

  [
    "a canary starts as many instances as its first step's share",
    input({ app: app({ deploy: canary }), observed: [workload(1, { ready: 4 })] }),
    ["web.2 → 1"],
  ],
  [
    "when they are ready the step begins",
    input({ app: app({ deploy: canary }), observed: [workload(1, { ready: 4 }), workload(2, { ready: 1 })] }),
    ["advance"],
  ],
  [
    "it is watched for as long as it holds",
    input({
      app: app({ deploy: canary }),
      rollout: rolloutOf(2, { stepReadyAtMs: t0 }),
      nowMs: t0 + 59_999,
      observed: [workload(1, { ready: 4 }), workload(2, { ready: 1 })],
    }),
    [],
  ],
  [
    "then the next step comes",
    input({
      app: app({ deploy: canary }),
      rollout: rolloutOf(2, { stepReadyAtMs: t0 }),
      nowMs: t0 + 60_000,
      observed: [workload(1, { ready: 4 }), workload(2, { ready: 1 })],
    }),
    ["advance"],
  ],
  [
    "after the last step the release is active when all of it is ready",
    input({
      app: app({ deploy: canary }),
      rollout: rolloutOf(2, { step: 2 }),
      observed: [workload(1, { ready: 4 }), workload(2, { ready: 4 })],
    }),
    ["activate"],
  ],
  [
    "a canary with too many errors fails",
    input({
      app: app({ deploy: { ...canary, abort: { errors: 0.01 } } }),
      rollout: rolloutOf(2, { stepReadyAtMs: t0 }),
      traffic: { requests: 20, errors: 1, p99Ms: 5 },
      observed: [workload(1, { ready: 4 }), workload(2, { ready: 1 })],
    }),
    ["fail"],
  ],
  [
    "but not before it has had twenty requests",
    input({
      app: app({ deploy: { ...canary, abort: { errors: 0.01 } } }),
      rollout: rolloutOf(2, { stepReadyAtMs: t0 }),
      traffic: { requests: 19, errors: 19, p99Ms: 5 },
      observed: [workload(1, { ready: 4 }), workload(2, { ready: 1 })],
    }),
    [],
  ],
  [
    "a canary that answers too slowly fails",
    input({
      app: app({ deploy: { ...canary, abort: { p99: 800 } } }),
      rollout: rolloutOf(2, { stepReadyAtMs: t0 }),
      traffic: { requests: 100, errors: 0, p99Ms: 1_600 },
      observed: [workload(1, { ready: 4 }), workload(2, { ready: 1 })],
    }),
    ["fail"],
  ],

  [
    "a before command runs before anything of its release",
    input({
      releases: [release(1, "active"), release(2, "pending", { before: true })],
      rollout: rolloutOf(2, { before: "running" }),
      observed: [workload(1, { ready: 4 })],
    }),
    ["_before.2 → 1"],
  ],
  [
    "it waits for the apps that are needed",
    input({
      releases: [release(1, "active"), release(2, "pending", { before: true })],
      rollout: rolloutOf(2, { before: "waiting" }),
      unreadyNeeds: ["db"],
      observed: [workload(1, { ready: 4 })],
    }),
    [],
  ],
  [
    "but not for ever",
    input({
      releases: [release(1, "active"), release(2, "pending", { before: true })],
      rollout: rolloutOf(2, { before: "waiting" }),
      unreadyNeeds: ["db"],
      nowMs: t0 + 30_000,
    }),
    ["advance"],
  ],
  [
    "when it ends with 0 the release goes on",
    input({
      releases: [release(1, "active"), release(2, "pending", { before: true })],
      rollout: rolloutOf(2, { before: "running" }),
      observed: [exited(0)],
    }),
    ["advance"],
  ],
  [
    "when it ends with anything else the release fails",
    input({
      releases: [release(1, "active"), release(2, "pending", { before: true })],
      rollout: rolloutOf(2, { before: "running" }),
      observed: [exited(7)],
    }),
    ["fail"],
  ],
  [
    "a command that is done is removed",
    input({ rollout: rolloutOf(2, { before: "done" }), observed: [exited(0), workload(1, { ready: 4 }), workload(2, { starting: 1 })] }),
    ["remove _before.2"],
  ],

  [
    "a release whose instance crashed three times and never was ready fails without waiting",
    input({ observed: [workload(1, { ready: 4 }), workload(2, {}, { count: 1, instances: [instance(2, "backoff", crashed)] })] }),
    ["fail"],
  ],
  [
    "but not while an app that it needs is away",
    input({
      unreadyNeeds: ["db"],
      observed: [workload(1, { ready: 4 }), workload(2, {}, { count: 1, instances: [instance(2, "backoff", crashed)] })],
    }),
    [],
  ],
  [
    "a release that is not ready at its deadline fails",
    input({ nowMs: t0 + 300_000, observed: [workload(1, { ready: 4 }), workload(2, { running: 1 })] }),
    ["fail"],
  ],
  [
    "time in which nobody could give orders does not count",
    input({ observedSinceMs: t0 + 290_000, nowMs: t0 + 300_000, observed: [workload(1, { ready: 4 }), workload(2, { running: 1 })] }),
    [],
  ],
  [
    "nor does it for a before command, which gets its time once it can be ordered",
    input({
      releases: [release(1, "active"), release(2, "pending", { before: true })],
      rollout: rolloutOf(2, { before: "running" }),
      observedSinceMs: t0 + 10_000_000,
      nowMs: t0 + 10_000_000,
      observed: [workload(1, { ready: 4 }), workload(2, {}, { process: beforeProcess, kind: "task", count: 1 })],
    }),
    [],
  ],
  [
    "time in holds does not count",
    input({
      rollout: rolloutOf(2, { heldMs: 60_000 }),
      nowMs: t0 + 359_999,
      observed: [workload(1, { ready: 4 }), workload(2, { running: 1 })],
    }),
    [],
  ],
  [
    "a first release that failed is kept trying",
    input({ ...first, releases: [release(1, "failed")], observed: [workload(1, { backoff: 3 }, { count: 3 })] }),
    ["web.1 → 4"],
  ],
  [
    "and is active when it gets ready after all",
    input({ ...first, releases: [release(1, "failed")], observed: [workload(1, { ready: 4 })] }),
    ["activate"],
  ],
  [
    "but not when its before command failed",
    input({ ...first, releases: [release(1, "failed", { before: true })], rollout: rolloutOf(1, { before: "running" }), observed: [] }),
    [],
  ],
  [
    "a target that has failed gives way to the active release",
    input({ releases: [release(1, "active"), release(2, "failed")], observed: [workload(1, { ready: 4 })] }),
    ["fail"],
  ],
  [
    "after a failure the old release gets back what it gave",
    input({
      app: app({ target: 1 }),
      releases: [release(1, "active"), release(2, "failed")],
      rollout: null,
      observed: [workload(1, { ready: 3 }), workload(2, { running: 1, ready: 1 })],
    }),
    ["web.2 → 1"],
  ],

  [
    "a stopped app has nothing",
    input({ app: app({ stopped: true }), rollout: null, observed: [workload(1, { ready: 4 })] }),
    ["remove web.1"],
  ],
  [
    "an app that is stopped on the way stops its clock first",
    input({ app: app({ stopped: true }), observed: [workload(1, { ready: 4 })] }),
    ["advance"],
  ],
  ["and starts it again when it goes on", input({ rollout: rolloutOf(2, { pausedAtMs: t0 }), nowMs: t0 + 900_000 }), ["advance"]],
  [
    "a destroyed app stops everything",
    input({ app: app({ destroying: true }), observed: [workload(1, { ready: 4 }), exited(0)] }),
    ["remove web.1", "remove _before.2"],
  ],
  [
    "it is not forgotten while something of it is left",
    input({ app: app({ destroying: true }), observed: [workload(1, { draining: 1 }, { isRemoving: true })] }),
    [],
  ],
  ["and is forgotten then", input({ app: app({ destroying: true }), observed: [] }), ["forget"]],
];

for (const [sentence, given, expected] of cases) test(sentence, () => assert.deepEqual(words(planRollout(given)), expected));

test("a failure says what was missing, why, and whose lines tell more", () => {
  const bad = instance(2, "running", { reason: { code: "NOT_LISTENING", message: "nothing listens on port 20001" } });
  const { step } = planRollout(
    input({ nowMs: t0 + 300_000, observed: [workload(1, { ready: 4 }), workload(2, {}, { count: 1, instances: [bad] })] }),
  );
  assert.ok(step?.kind === "fail");
  assert.equal(step.linesOf, bad.id);
  assert.equal(step.fallBackTo, 1);
  assert.match(step.reason, /^not ready within 5m \(web: 0 of 4 ready\): web\.2\.\w+: nothing listens on port 20001$/);
});

test("a release that fits on no machine at all fails at once, and says why", () => {
  const huge = release(2, "pending", { process: { resources: { cpu: 64, memoryBytes: null, pids: 512 } } });
  const machines = [room(m1, { cores: 2, memoryBytes: 2 ** 32, freeCores: 1.5, freeMemoryBytes: 2 ** 31 })];
  const { step } = planRollout(input({ releases: [release(1, "active"), huge], machines, observed: [workload(1, { ready: 4 })] }));
  assert.ok(step?.kind === "fail");
  assert.equal(step.reason, "cannot be placed: web needs 64 CPU; 1 machine looked at, 1.5 CPU free on m1");
});

test("a release that has no room now waits for it until its deadline", () => {
  const large = release(2, "pending", { process: { resources: { cpu: 1, memoryBytes: null, pids: 512 } } });
  const machines = [room(m1, { cores: 2, memoryBytes: 2 ** 32, freeCores: 0.5, freeMemoryBytes: 2 ** 31 })];
  const plan = planRollout(input({ releases: [release(1, "active"), large], machines, observed: [workload(1, { ready: 4 })] }));
  assert.deepEqual(words(plan), []);
  assert.deepEqual(
    plan.unplaced.map(({ words }) => words),
    ["web needs 1 CPU; 1 machine looked at, 0.5 CPU free on m1"],
  );
  assert.equal(plan.replanAtMs, t0 + 300_000);
});

test("what a before command waited for the apps that are needed is none of its own time", () => {
  const releases = [release(1, "active"), release(2, "pending", { before: true })];
  const nowMs = t0 + 30_000;
  const { step } = planRollout(input({ releases, rollout: rolloutOf(2, { before: "waiting" }), unreadyNeeds: ["db"], nowMs }));
  assert.equal(step?.kind === "advance" && step.rollout.heldMs, nowMs - rolloutOf(2, {}).startedAtMs);
});
