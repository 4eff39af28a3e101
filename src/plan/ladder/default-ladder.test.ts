import assert from "node:assert/strict";
import { test } from "node:test";
import { check, lines, playScene } from "../testing/ladder-world.ts";
import { defaultGuards, defaultLadder, levelDefaults } from "./default-ladder.ts";

test("a space without a ladder restarts, redeploys and rolls back an app, then asks people", () => {
  const ladder = { ...defaultLadder(), checks: [check("smoke", "app", "app")] };
  const { played } = playScene({ ladder, fails: { "smoke@app/shop": [0] }, lies: ["app app/shop"] });
  assert.deepEqual(lines(played, ["start", "end"]), [
    "start 30 app app/shop app.restart",
    "end 100 app/shop done",
    "start 130 app app/shop app.redeploy",
    "end 200 app/shop done",
    "start 230 app app/shop app.rollback",
    "end 300 app/shop done",
    "end 330 app/shop people",
  ]);
});

test("the defaults are those that the documentation states", () => {
  const { settleMs, soonMs, levels } = defaultLadder();
  assert.deepEqual([settleMs, soonMs], [30_000, 900_000]);
  assert.deepEqual(defaultGuards.massFailure, { share: 0.2, count: 5, withinMs: 600_000 });
  assert.deepEqual([defaultGuards.actionsPerHour, defaultGuards.atOnce, defaultGuards.suspectMonitor], [30, 0.25, 0.8]);
  assert.deepEqual(levelDefaults, { quietMs: 60_000, timeoutMs: 600_000, retryMs: 10_000, attempts: 2 });
  const [level] = levels;
  assert.deepEqual([level?.attempts, level?.quietMs, level?.timeoutMs, level?.retryMs], [1, 60_000, 600_000, 10_000]);
});
