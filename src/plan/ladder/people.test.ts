import assert from "node:assert/strict";
import { test } from "node:test";
import { happened, levelsWith, type Row, smoke } from "../testing/ladder-rows.ts";
import { classic, twoPools } from "../testing/ladder-world.ts";

/** What waits for people: approvals, and what a ladder has no answer for. */
const rows: readonly Row[] = [
  [
    "a level that nobody approves in time ends with people",
    { ladder: { levels: levelsWith("app", { approve: { withinMs: 100_000, otherwise: "people" } }) }, fails: smoke },
    [
      'tell 30 level "app" on app/shop waits for approval',
      "end 130 app/shop people",
      'tell 130 app/shop needs a person: nobody approved level "app" within 100s',
      "clear 130 approval:app/shop@1800000000000:app",
    ],
    ["start", "end", "tell", "clear"],
  ],
  [
    "or runs, if its level says so",
    { ladder: { levels: levelsWith("app", { approve: { withinMs: 100_000, otherwise: "run" } }) }, fails: smoke },
    ['tell 30 level "app" on app/shop waits for approval', "start 130 app app/shop", "end 200 app/shop done"],
  ],
  [
    "or is let be until its checks fail anew",
    { ladder: { levels: levelsWith("app", { approve: { withinMs: 100_000, otherwise: "drop" } }) }, fails: { "smoke@app/shop": [0, 140] } },
    ['tell 30 level "app" on app/shop waits for approval', "end 130 app/shop dropped", "end 160 app/shop recovered"],
  ],
  [
    "what mends itself while approval is waited for is left alone",
    { ladder: { levels: levelsWith("app", { approve: { withinMs: 100_000, otherwise: "run" } }) }, fails: { "smoke@app/shop": [0, 60] } },
    ["end 60 app/shop recovered"],
    ["start", "end"],
  ],
  [
    "where nothing wider can be told, people are",
    { ladder: { levels: levelsWith("app", { attempts: 1, remedies: [{ kind: "wider" }] }) }, fails: smoke, broken: ["app app/shop"] },
    [
      "start 30 app app/shop",
      "end 40 app/shop wider",
      "end 130 app/shop people",
      "tell 130 app/shop needs a person: smoke@app/shop fails again after 1 attempt, and the ladder knows nothing more",
    ],
  ],
  [
    "a step that failed while nothing fails any more ends with people",
    {
      ladder: { levels: levelsWith("app", { attempts: 1, remedies: [{ kind: "wider" }] }) },
      fails: { "smoke@app/shop": [0, 35] },
      broken: ["app app/shop"],
    },
    [
      "start 30 app app/shop",
      "end 40 app/shop people",
      'tell 40 app/shop needs a person: level "app" failed on app/shop: its action exited with 1; no check asks for more',
    ],
  ],
  [
    "people who were asked are waited for: nothing acts in that scope, and what is beside it goes on",
    {
      fails: { "services@machine/m1": [0], "ping@machine/m1": [200], "ping@machine/m3": [300] },
      broken: ["converge machine/m1"],
      forSeconds: 400,
    },
    [
      "start 30 converge machine/m1",
      "start 100 converge machine/m1",
      "end 110 machine/m1 people",
      "start 330 machine machine/m3",
      "start 400 converge machine/m3",
    ],
    ["start", "end"],
  ],
  [
    "a level without targets is passed over, and a run that finds nothing to act on asks people",
    {
      topology: { ...twoPools, apps: [], machines: [] },
      ladder: { checks: classic.checks.map((check) => (check.name === "provider-online" ? { ...check, level: "machine" } : check)) },
      fails: { "provider-online@space": [0] },
    },
    ["end 30 space people", 'tell 30 space needs a person: level "machine" found nothing on space that it may act on'],
  ],
  [
    "nor is a run of a level begun for a check that asks for a lighter one",
    {
      ladder: { levels: levelsWith("machine", { approve: { withinMs: 100_000, otherwise: "run" } }) },
      fails: { "ping@machine/m1": [0, 60], "services@machine/m1": [0] },
      forSeconds: 100,
    },
    ["end 60 machine/m1 recovered", "start 90 converge machine/m1"],
    ["start", "end"],
  ],
];

for (const row of rows)
  test(row[0], () => {
    assert.deepEqual(happened(row), row[2]);
  });
