import assert from "node:assert/strict";
import { test } from "node:test";
import { check, lines, playScene } from "../testing/ladder-world.ts";
import { defaultLadder } from "./default-ladder.ts";

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
