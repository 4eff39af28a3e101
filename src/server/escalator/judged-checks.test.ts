import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { Check } from "#model/check.ts";
import type { CheckId, SpaceName } from "#model/names.ts";
import type { Window } from "#plan/checks/window.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { JudgedCheck } from "./assign-checks.ts";
import { JudgedChecks } from "./judged-checks.ts";

const space = "default" as SpaceName;
const rest = { name: "serves", each: "pool", app: null, level: "pool", timeoutMs: 1_000, failures: 2, from: [], expected: null } as const;
const serves: JudgedCheck = {
  id: "serves@pool/web" as CheckId,
  target: "pool/web",
  check: { ...rest, everyMs: 30_000, maintenance: [], test: { kind: "ready", least: 2 } } satisfies Omit<Check, "test"> & {
    test: { kind: "ready"; least: number };
  },
};

test("a pool that has other machines than before is judged at once, and what stays as it was counts once in an interval", async () => {
  const clock = new VirtualClock(0);
  const stop = new AbortController();
  const results: string[] = [];
  let ready = 2;
  const judged = new JudgedChecks(
    {
      fleet: {} as Fleet,
      clock,
      onResult: (_, { atMs, message }) => results.push(`${atMs / 1_000}: ${message}`),
      readyMachines: () => ready,
      measure: () => null,
    },
    stop.signal,
  );
  judged.set(space, [serves]);
  const to = async (ms: number) => {
    while (clock.nowMs() < ms) await clock.advance(250);
    return results.splice(0);
  };
  assert.deepEqual(await to(5_000), ["0: 2 ready, wanted at least 2"]);
  ready = 1;
  assert.deepEqual(await to(6_000), [], "nobody said that anything changed");
  judged.look(space);
  assert.deepEqual(await to(7_000), ["6.25: 1 ready, wanted at least 2"]);
  ready = 0;
  judged.look(space);
  assert.deepEqual(await to(36_000), [], "a second failure in a row takes an interval");
  assert.deepEqual(await to(37_000), ["36.25: 0 ready, wanted at least 2"]);
  ready = 2;
  judged.look(space);
  assert.deepEqual(await to(38_000), ["37.25: 2 ready, wanted at least 2"]);
  stop.abort();
  await clock.advance(250);
  await judged.stopped();
});

test("a condition on a figure holds while the figure keeps to it, and what is not known says nothing", async () => {
  const clock = new VirtualClock(0);
  const stop = new AbortController();
  const results: string[] = [];
  let share: number | null = null;
  let window: Window = { fromMs: 0, toMs: 120_000, isWhole: true };
  const judged = new JudgedChecks(
    {
      fleet: {} as Fleet,
      clock,
      onResult: (_, { isOk, message }) => results.push(`${isOk}: ${message}`),
      readyMachines: () => 0,
      measure: (_space, target) => (target === "app/web" && share !== null ? { value: share, window } : null),
    },
    stop.signal,
  );
  const measured = { metric: "errors", of: "requests", match: {}, fn: null, aggregate: "sum", quantile: 0.95, overMs: 120_000 } as const;
  const check = {
    ...rest,
    each: "app",
    everyMs: 1_000,
    maintenance: [],
    test: { kind: "metric", is: "above", value: 0.05, ...measured },
  } as const;
  judged.set(space, [{ id: "errors@app/web" as CheckId, target: "app/web", check }]);
  await clock.advance(2_000);
  assert.deepEqual([results, judged.once(space, "errors@app/web" as CheckId)], [[], null]);
  share = 0.05;
  await clock.advance(1_000);
  share = 0.0612;
  await clock.advance(1_000);
  assert.deepEqual(results, [
    "true: errors by requests is 0.05 over 2m, wanted at most 0.05",
    "false: errors by requests is 0.0612 over 2m, wanted at most 0.05",
  ]);
  window = { fromMs: 90_000, toMs: 120_000, isWhole: false };
  await clock.advance(1_000);
  assert.equal(results.length, 2, "of a part of its time a share says nothing");
  assert.equal(judged.once(space, "errors@app/web" as CheckId), null);
  stop.abort();
  await clock.advance(250);
  await judged.stopped();
});
