import assert from "node:assert/strict";
import { test } from "node:test";
import { classic, lines, playScene, type Scene } from "../testing/ladder-world.ts";

/**
 * The truth table of the design, on a virtual clock. Actions take 10 s, quiet periods 60 s, the settle window 30 s; each line has its second.
 * Pool web is m1 and m2 and runs shop; pool db is m3 and m4 and runs store.
 */
const rows: readonly (readonly [situation: string, scene: Scene, happens: readonly string[]])[] = [
  [
    "nothing exists: everything is built, level by level",
    {
      topology: { pools: [], machines: [], apps: [] },
      fails: { "provider-online@space": [0] },
      ladder: { levels: classic.levels.map((level) => ({ ...level, scope: "space" as const })) },
    },
    [
      "start 30 provider space",
      "start 100 network space",
      "start 170 pool space",
      "start 240 machine space",
      "start 310 converge space",
      "start 380 app space",
      "end 450 space done",
    ],
  ],
  [
    "everything fails: the provider, then every lighter level for every target",
    {
      fails: {
        "provider-online@space": [0],
        "ping@machine/m1": [0],
        "services@machine/m1": [0],
        "pool-serves@pool/web": [0],
        "smoke@app/shop": [0],
      },
    },
    [
      "start 30 provider space",
      "start 100 network space",
      "start 170 pool pool/web",
      "start 170 pool pool/db",
      ...["m1", "m2", "m3", "m4"].map((name) => `start 240 machine machine/${name}`),
      ...["m1", "m2", "m3", "m4"].map((name) => `start 310 converge machine/${name}`),
      "start 380 app app/shop",
      "start 380 app app/store",
      "end 450 space done",
    ],
  ],
  [
    "one machine is dead: it is replaced, converged, and what ran there is redeployed",
    { fails: { "ping@machine/m1": [0], "services@machine/m1": [0] } },
    ["start 30 machine machine/m1", "start 100 converge machine/m1", "start 170 app app/shop", "end 240 machine/m1 done"],
  ],
  [
    "a service is down on one machine: it is converged, not replaced",
    { fails: { "services@machine/m1": [0] } },
    ["start 30 converge machine/m1", "start 100 app app/shop", "end 170 machine/m1 done"],
  ],
  [
    "the pool is down although its machines answer: the pool, and every machine of it",
    { fails: { "pool-serves@pool/web": [0], "services@machine/m1": [0], "services@machine/m2": [0] } },
    [
      "start 30 pool pool/web",
      "start 100 machine machine/m1",
      "start 100 machine machine/m2",
      "start 170 converge machine/m1",
      "start 170 converge machine/m2",
      "start 240 app app/shop",
      "end 310 pool/web done",
    ],
  ],
  ["only the smoke check fails: the app alone", { fails: { "smoke@app/shop": [0] } }, ["start 30 app app/shop", "end 100 app/shop done"]],
  ["ping is lost for 12 s: nothing, recovered by itself", { fails: { "ping@machine/m1": [0, 12] } }, ["end 30 machine/m1 recovered"]],
  [
    "m1 is lost at 0 s and its pool at 25 s: one run, from the pool down",
    { fails: { "ping@machine/m1": [0], "pool-serves@pool/web": [25] } },
    [
      "end 30 machine/m1 absorbed",
      "start 30 pool pool/web",
      "start 100 machine machine/m1",
      "start 100 machine machine/m2",
      "start 170 converge machine/m1",
      "start 170 converge machine/m2",
      "start 240 app app/shop",
      "end 310 pool/web done",
    ],
  ],
  [
    "one machine of each of two pools is lost: two runs side by side",
    { fails: { "ping@machine/m1": [0], "ping@machine/m3": [0] } },
    [
      "start 30 machine machine/m1",
      "start 30 machine machine/m3",
      "start 100 converge machine/m1",
      "start 100 converge machine/m3",
      "start 170 app app/shop",
      "start 170 app app/store",
      "end 240 machine/m1 done",
      "end 240 machine/m3 done",
    ],
  ],
  [
    "a failure during a quiet period: recorded only",
    { fails: { "services@machine/m1": [0], "ping@machine/m1": [50, 80] } },
    ["start 30 converge machine/m1", "start 100 app app/shop", "end 170 machine/m1 done"],
  ],
  [
    "a failure that outlasts the quiet period: it settles, waits for the current step, and a wider run replaces the rest",
    { fails: { "services@machine/m1": [0], "ping@machine/m1": [50] } },
    [
      "start 30 converge machine/m1",
      "start 100 app app/shop",
      "end 170 machine/m1 done",
      "start 170 machine machine/m1",
      "start 240 converge machine/m1",
      "start 310 app app/shop",
      "end 380 machine/m1 done",
    ],
  ],
  [
    "outside of its expected hours: nothing",
    { fails: { "smoke@app/shop": [0] }, start: { silent: { checks: new Set(["smoke"]), untilMs: null } } },
    [],
  ],
  [
    "converge fails twice of two attempts: it stops, nothing is redeployed, people are told",
    { fails: { "services@machine/m1": [0] }, broken: ["converge machine/m1"] },
    [
      "start 30 converge machine/m1",
      "start 100 converge machine/m1",
      "end 110 machine/m1 people",
      'tell 110 machine/m1 needs a person: level "converge" failed on machine/m1 after 2 attempts: its action exited with 1',
    ],
  ],
  [
    "the smoke check fails again after three redeploys: the previous release, then people",
    { fails: { "smoke@app/shop": [0] }, lies: ["app app/shop"] },
    [
      "start 30 app app/shop",
      "end 100 app/shop done",
      "start 130 app app/shop",
      "end 200 app/shop done",
      "start 230 app app/shop",
      "end 300 app/shop done",
      "start 330 app app/shop app.rollback",
      "end 400 app/shop done",
      "end 430 app/shop people",
      "tell 430 app/shop needs a person: smoke@app/shop fails again after 4 attempts, and the ladder knows nothing more",
    ],
  ],
];

for (const [situation, scene, happens] of rows)
  test(situation, () => {
    assert.deepEqual(lines(playScene(scene).played), happens);
  });
