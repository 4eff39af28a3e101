import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppName } from "#model/names.ts";
import { check, classic, lines, playScene } from "../testing/ladder-world.ts";

const oneApp = { "smoke@app/shop": Array.from({ length: 180 }, (_, i) => [i * 20, i * 20 + 10] as const) };

test("a check that flaps at every interval for an hour is let be when it passes at the end of each settle window", () => {
  assert.deepEqual(lines(playScene({ fails: oneApp }).played, ["start", "tell"]), []);
});

test("one that flaps and fails whenever it is looked at is tried as often as its level says, and then it is people's business for good", () => {
  const fails = { "smoke@app/shop": Array.from({ length: 240 }, (_, i) => [i * 15, i * 15 + 14] as const) };
  const happened = lines(playScene({ fails, lies: ["app app/shop"], forSeconds: 3_600 }).played, ["start", "tell"]);
  assert.ok(happened.filter((line) => line.startsWith("start")).length <= 4, happened.join("\n"));
  assert.equal(happened.filter((line) => line.startsWith("tell")).length, 1, happened.join("\n"));
});

test("5,000 checks that fail together start no more steps than the budget of the hour has, and people are told of that once", () => {
  const apps = Array.from({ length: 200 }, (_, i) => `app${i}` as AppName);
  const names = Array.from({ length: 25 }, (_, i) => `check${i}`);
  const fails = Object.fromEntries(apps.flatMap((app) => names.map((name) => [`${name}@app/${app}`, [0] as const])));
  const { played } = playScene({
    ladder: { checks: names.map((name) => check(name, "app", "app")), guards: { ...classic.guards, actionsPerHour: 30 } },
    topology: { pools: [], machines: [], apps },
    fails,
    forSeconds: 600,
  });
  const starts = lines(played, ["start"]);
  assert.equal(starts.length, 30);
  assert.equal(new Set(starts.map((line) => line.split(" ").at(-1))).size, 30, "each of another app");
  assert.deepEqual(
    lines(played, ["tell"]).map((line) => line.replace(/^tell \d+ /, "")),
    ["the budget of 30 actions an hour is used up"],
  );
});
