import assert from "node:assert/strict";
import { test } from "node:test";
import type { App } from "#model/app.ts";
import { app, web, workload } from "../testing/planner-world.ts";
import { describeAhead, findAhead } from "./ahead.ts";

const known = app({ target: 5, active: 5, lastRelease: 5, instances: { [web]: 2 } });
/** Orders of the store that is lost. */
const lost = () => true;

const cases: readonly (readonly [sentence: string, app: App | null, runs: ReturnType<typeof workload>[], expected: string | null])[] = [
  ["what is wanted is no news", known, [workload(5, { ready: 2 })], null],
  ["fewer than wanted end nothing", known, [workload(5, { ready: 1 })], null],
  ["a newer release", known, [workload(7, { ready: 2 })], "runs release 7 with 2 instances, and the restored state knows up to 5"],
  ["more than wanted", known, [workload(5, { ready: 3 })], "runs release 5 with 3 instances, and the restored state wants something else"],
  [
    "an app that is not there",
    null,
    [workload(3, { ready: 1 })],
    "runs release 3 with 1 instance, and the restored state does not have it",
  ],
  [
    "an app that was started again since",
    app({ ...known, stopped: true }),
    [workload(5, { ready: 1 })],
    "runs release 5 with 1 instance, and the restored state wants something else",
  ],
  [
    "a rollout that was under way",
    known,
    [workload(6, { ready: 1 }), workload(7, { ready: 2 })],
    "runs release 6 with 1 instance and release 7 with 2 instances, and the restored state knows up to 5",
  ],
];
for (const [sentence, found, runs, expected] of cases)
  test(`after a restore: ${sentence}`, () => {
    const ahead = findAhead(found, runs, lost);
    assert.equal(ahead === null ? null : describeAhead(ahead), expected);
  });

test("what a store has ordered that is not lost is not asked about, whatever it is", () => {
  assert.equal(
    findAhead(null, [workload(7, { ready: 2 })], () => false),
    null,
  );
});
