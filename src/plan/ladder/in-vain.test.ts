import assert from "node:assert/strict";
import { test } from "node:test";
import type { Escalation } from "#model/ladder.ts";
import { killed, smoke } from "../testing/ladder-plans.ts";
import { levelsWith } from "../testing/ladder-rows.ts";
import { lines, playScene, type Scene, t0 } from "../testing/ladder-world.ts";
import { acknowledge } from "./record.ts";

/** Rule 10: what counts as tried, when a check fails again. */
/** The same app fails again after these runs, from `seconds` on: what is done about it. */
const again = (seconds: number, escalations: readonly Escalation[], ladder: Scene["ladder"] = {}) =>
  lines(
    playScene({ ladder, fails: { [smoke]: [0] }, start: { escalations, nowMs: t0 + seconds * 1_000 }, forSeconds: seconds + 31 }).played,
    ["start", "end"],
  );
const once = { levels: levelsWith("app", { attempts: 1, remedies: [] }) };

test("rule 10: what was tried before people took over counts no more", () => {
  const { escalations } = playScene({ ladder: once, fails: { [smoke]: [0] }, lies: ["app app/shop"], forSeconds: 131 });
  const taken = escalations.map((run) => acknowledge(run, "ann", t0 + 131_000) ?? run);
  assert.deepEqual(again(131, taken, once), ["start 161 app app/shop"]);
});

test("rule 10: what a person stopped was not tried in vain", () => {
  const { escalations } = playScene({ ladder: once, fails: { [smoke]: [0] }, forSeconds: 31 });
  const ended = escalations.map((run) => ({ ...run, outcome: { kind: "stopped", atMs: t0 + 35_000, reason: "" } }) as const);
  const done = ended.map((run) => ({ ...run, steps: run.steps.map((step) => ({ ...step, ended: { ...killed, atMs: t0 + 35_000 } })) }));
  assert.deepEqual(again(100, done, once), ["start 130 app app/shop"]);
});

test("rule 10: attempts at lighter levels of a run are none at the level it began with", () => {
  const { escalations } = playScene({ fails: { "ping@machine/m1": [0, 60] }, forSeconds: 241 });
  const often = escalations.map((run) => ({
    ...run,
    steps: run.steps.map((step) => (step.level === "converge" ? { ...step, attempt: 2 } : step)),
  }));
  const scene: Scene = { fails: { "ping@machine/m1": [250] }, start: { escalations: often, nowMs: t0 + 250_000 }, forSeconds: 281 };
  assert.deepEqual(lines(playScene(scene).played), ["start 280 machine machine/m1"]);
});
