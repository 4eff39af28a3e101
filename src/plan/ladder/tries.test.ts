import assert from "node:assert/strict";
import { test } from "node:test";
import { happened, levelsWith, m1Down, type Row, run4to6, smoke } from "../testing/ladder-rows.ts";
import { check } from "../testing/ladder-world.ts";

const rollback = { kind: "built-in", name: "app.rollback" } as const;

/** How often a level is tried, how long between two attempts, and what comes after the last one. */
const rows: readonly Row[] = [
  [
    "an action that hangs is ended at its timeout and tried again",
    { fails: smoke, hangs: ["app app/shop"], forSeconds: 250 },
    ["start 30 app app/shop", "kill 150 app/shop@1800000000000/app/app/shop/1", "start 210 app app/shop"],
  ],
  [
    "the pause between attempts doubles, and the quiet period is part of it",
    {
      ladder: { levels: levelsWith("app", { quietMs: 5_000, retryMs: 20_000, attempts: 4, remedies: [] }) },
      fails: smoke,
      broken: ["app app/shop"],
    },
    [
      "start 30 app app/shop",
      "start 60 app app/shop",
      "start 110 app app/shop",
      "start 200 app app/shop",
      "end 210 app/shop people",
      'tell 210 app/shop needs a person: level "app" failed on app/shop after 4 attempts: its action exited with 1',
    ],
  ],
  [
    "the pause between attempts is ten minutes at most",
    {
      ladder: { levels: levelsWith("app", { quietMs: 0, retryMs: 500_000, attempts: 3, remedies: [] }) },
      fails: smoke,
      broken: ["app app/shop"],
    },
    ["start 30 app app/shop", "start 540 app app/shop", "start 1150 app app/shop"],
    ["start"],
  ],
  [
    "a failed step whose check mends itself before the next attempt goes on to the lighter levels",
    { fails: { "services@machine/m1": [0, 50] }, broken: ["converge machine/m1"] },
    ["start 30 converge machine/m1", "start 100 app app/shop", "end 170 machine/m1 done"],
  ],
  [
    "a step's own check has to pass after its quiet period",
    { ladder: { levels: levelsWith("app", { check: "smoke", attempts: 2, remedies: [] }) }, fails: smoke, lies: ["app app/shop"] },
    [
      "start 30 app app/shop",
      "start 110 app app/shop",
      "end 180 app/shop people",
      'tell 180 app/shop needs a person: level "app" failed on app/shop after 2 attempts: its check smoke@app/shop fails: no answer',
    ],
  ],
  [
    "a level that failed goes one level wider, if it says so and its checks still fail",
    {
      ladder: { levels: levelsWith("converge", { attempts: 1, remedies: [{ kind: "wider" }] }) },
      fails: { "services@machine/m1": [0] },
      broken: ["converge machine/m1"],
      forSeconds: 300,
    },
    [
      "start 30 converge machine/m1",
      "end 40 machine/m1 wider",
      "start 130 machine machine/m1",
      "start 200 converge machine/m1",
      "end 210 machine/m1 wider",
      "start 300 machine machine/m1",
    ],
  ],
  [
    "a machine's run goes one level wider to its pool",
    {
      ladder: { levels: levelsWith("machine", { attempts: 1, remedies: [{ kind: "wider" }] }) },
      fails: m1Down,
      broken: ["machine machine/m1"],
      forSeconds: 140,
    },
    ["start 30 machine machine/m1", "end 40 machine/m1 wider", "start 130 pool pool/web"],
  ],
  [
    "a failure long after a run begins with the first attempt again",
    {
      ladder: { levels: levelsWith("app", { attempts: 1, remedies: [{ kind: "people" }] }) },
      fails: {
        "smoke@app/shop": [
          [0, 60],
          [1_001, 1_060],
        ],
      },
      forSeconds: 1_200,
    },
    ["start 30 app app/shop", "end 100 app/shop done", "start 1031 app app/shop", "end 1101 app/shop done"],
  ],
  [
    "a failure soon after a run counts as the same trouble",
    {
      ladder: { levels: levelsWith("app", { attempts: 1, remedies: [{ kind: "people" }] }) },
      fails: {
        "smoke@app/shop": [
          [0, 60],
          [1_000, 1_060],
        ],
      },
      forSeconds: 1_200,
    },
    ["start 30 app app/shop", "end 100 app/shop done", "end 1030 app/shop people"],
    ["start", "end"],
  ],
  [
    "an app with ways of its own is tried in them",
    {
      ladder: {
        levels: levelsWith("app", {
          forApps: {
            shop: {
              action: { kind: "built-in", name: "app.restart" },
              attempts: 1,
              remedies: [{ kind: "action", action: { kind: "built-in", name: "app.redeploy" } }],
            },
          },
        }),
      },
      fails: smoke,
      broken: ["app app/shop"],
    },
    ["start 30 app app/shop app.restart", "start 100 app app/shop app.redeploy", "end 110 app/shop people"],
    ["start", "end"],
  ],
  [
    "a lighter level begins with its first attempt, however often the heavier one was tried",
    {
      ladder: { levels: levelsWith("converge", { attempts: 1 }) },
      fails: { "ping@machine/m1": [0] },
      lies: ["machine machine/m1"],
      forSeconds: 500,
    },
    [...run4to6(30), "start 270 machine machine/m1", "start 340 converge machine/m1", "start 410 app app/shop", "end 480 machine/m1 done"],
  ],
  [
    "people read of an action that took too long",
    { ladder: { levels: levelsWith("app", { attempts: 1, remedies: [] }) }, fails: smoke, hangs: ["app app/shop"] },
    ['tell 150 app/shop needs a person: level "app" failed on app/shop after 1 attempt: its action took longer than its timeout'],
    ["tell"],
  ],
  [
    "a level whose check is not there has not mended itself before its next attempt",
    { ladder: { levels: levelsWith("app", { check: "gone", attempts: 2, remedies: [] }) }, fails: smoke, broken: ["app app/shop"] },
    ["start 30 app app/shop", "start 100 app app/shop", "end 110 app/shop people"],
    ["start", "end"],
  ],
  [
    "nor has one whose check passes at some of its places",
    {
      ladder: { levels: levelsWith("pool", { check: "services" }) },
      fails: { "pool-serves@pool/web": [0], "services@machine/m2": [0] },
      broken: ["pool pool/web"],
    },
    ["start 30 pool pool/web", "start 100 pool pool/web"],
    ["start"],
  ],
  [
    "of two machines that failed the one that is well meanwhile is left alone",
    {
      ladder: { levels: levelsWith("machine", { check: "ping" }) },
      fails: { "pool-serves@pool/web": [0], "ping@machine/m1": [0], "ping@machine/m2": [0, 150] },
      broken: ["machine machine/m1", "machine machine/m2"],
      forSeconds: 200,
    },
    ["start 30 pool pool/web", "start 100 machine machine/m1", "start 100 machine machine/m2", "start 170 machine machine/m1"],
    ["start"],
  ],
  [
    "a machine with the name of an app is not mended in that app's ways",
    {
      ladder: {
        checks: [check("agent", "machine", "app")],
        levels: levelsWith("app", { forApps: { m1: { action: rollback, attempts: 1, remedies: [{ kind: "people" }] } } }),
      },
      fails: { "agent@machine/m1": [0] },
      lies: ["app app/shop"],
      forSeconds: 140,
    },
    ["start 30 app app/shop", "end 100 machine/m1 done", "start 130 app app/shop"],
  ],
  [
    "where the ladder says people, nothing wider is tried",
    {
      ladder: { levels: levelsWith("converge", { attempts: 1, remedies: [{ kind: "people" }] }) },
      fails: { "services@machine/m1": [0] },
      lies: ["converge machine/m1"],
    },
    ["start 30 converge machine/m1", "start 100 app app/shop", "end 170 machine/m1 done", "end 200 machine/m1 people"],
    ["start", "end"],
  ],
  [
    "a level that was a lighter one of another level's run was not tried in vain",
    {
      ladder: { levels: levelsWith("converge", { attempts: 1 }) },
      fails: {
        "ping@machine/m1": [0, 60],
        "services@machine/m1": [
          [0, 60],
          [300, 900],
        ],
      },
      forSeconds: 400,
    },
    [...run4to6(30), "start 330 converge machine/m1", "start 400 app app/shop"],
  ],
  [
    "a failure soon after another one does not count what was tried long before it",
    {
      ladder: { levels: levelsWith("app", { attempts: 1, remedies: [] }) },
      fails: {
        "smoke@app/shop": [
          [0, 60],
          [1_001, 1_060],
          [1_200, 1_260],
        ],
      },
    },
    ["end 100 app/shop done", "end 1101 app/shop done", "end 1230 app/shop people"],
    ["end"],
  ],
  [
    "what is done to one machine ends before a failed one is given up",
    {
      ladder: { levels: levelsWith("machine", { attempts: 1 }) },
      fails: { "pool-serves@pool/web": [0] },
      broken: ["machine machine/m1"],
    },
    ["start 30 pool pool/web", "start 100 machine machine/m1", "start 100 machine machine/m2", "end 170 pool/web people"],
    ["start", "end"],
  ],
];

for (const row of rows)
  test(row[0], () => {
    assert.deepEqual(happened(row), row[2]);
  });
