import assert from "node:assert/strict";
import { test } from "node:test";
import type { Escalation } from "#model/ladder.ts";
import { lines, playScene, type Scene, t0 } from "../testing/ladder-world.ts";
import { stopRun } from "./record.ts";

const smoke = { "smoke@app/shop": [0] } as const;
/** A run whose step acts, with what was changed in it before the play goes on; the step hangs, so that it ends by the planner alone. */
const goesOn = (more: Partial<Scene["start"]>, change: (run: Escalation) => Escalation | null = (run) => run) => {
  const escalations = playScene({ fails: smoke, hangs: ["app app/shop"], forSeconds: 35 }).escalations.map((run) => change(run) ?? run);
  const start = { escalations, nowMs: t0 + 35_000, ...more };
  return playScene({ fails: smoke, hangs: ["app app/shop"], start, forSeconds: 150 });
};
const endOf = ({ escalations }: ReturnType<typeof goesOn>) => escalations[0]?.steps[0]?.ended;

test("an action that goes on at the start of a play is ended at its timeout", () => {
  assert.deepEqual(endOf(goesOn({})), { atMs: t0 + 150_000, result: "timed-out", exitCode: null, output: "" });
});

test("and at once when its run is stopped", () => {
  const played = goesOn({}, (run) => stopRun(run, "ann", t0 + 35_000));
  assert.deepEqual(endOf(played), { atMs: t0 + 35_000, result: "killed", exitCode: null, output: "" });
});

test("what a server that is gone had started is ended without anybody who could end it", () => {
  const { played } = goesOn({ term: 2, isDryRun: true });
  assert.deepEqual(lines(played, ["kill", "end"]).slice(0, 2), ["end 35 app/shop stopped", `kill 35 app/shop@${t0}/app/app/shop/1`]);
});
