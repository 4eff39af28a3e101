import assert from "node:assert/strict";
import { test } from "node:test";
import type { Topology } from "#model/target.ts";
import { happened, pause, type Row, run4to6 } from "../testing/ladder-rows.ts";
import { check, classic, twoPools } from "../testing/ladder-world.ts";
import { indexLadder } from "./index-ladder.ts";

/** What m1 ran is on m2 from the 60th second on, because m1 is dead; `apps` are those that there are then. */
const moved = (apps: Topology["apps"]) => {
  const machines = twoPools.machines.map((machine) => (machine.name === "m1" ? { ...machine, apps: [] } : machine));
  const index = indexLadder(classic, { ...twoPools, machines, apps });
  return {
    fails: { "ping@machine/m1": [0] },
    input: (seconds: number) => (seconds < 60 ? {} : { index }),
    changesAt: [60],
    forSeconds: 300,
  } as const;
};

/** Which run does what where several things fail at once. */
const rows: readonly Row[] = [
  [
    "what a machine ran when its run began is deployed again, although it runs elsewhere by then",
    moved(twoPools.apps),
    ["start 30 machine machine/m1", "start 100 converge machine/m1", "start 170 app app/shop", "end 240 machine/m1 done"],
  ],
  [
    "what a machine ran and what is no more is left out",
    moved(twoPools.apps.filter((app) => app !== "shop")),
    ["start 30 machine machine/m1", "start 100 converge machine/m1", "end 170 machine/m1 done"],
  ],
  [
    "a need for a wider run waits for the current step, and then that run replaces the rest",
    { fails: { "services@machine/m1": [0], "pool-serves@pool/web": [32] }, forSeconds: 250 },
    [
      "start 30 converge machine/m1",
      "end 100 machine/m1 absorbed",
      "start 100 pool pool/web",
      "start 170 machine machine/m1",
      "start 170 machine machine/m2",
      "start 240 converge machine/m1",
      "start 240 converge machine/m2",
    ],
  ],
  [
    "a window that has not settled yet ends with the wider run that begins meanwhile",
    { fails: { "ping@machine/m1": [0], "ping@machine/m3": [20], "provider-online@space": [25] }, forSeconds: 31 },
    ["end 30 machine/m1 absorbed", "start 30 provider space", "end 30 machine/m3 absorbed"],
  ],
  [
    "a level without targets is passed over on the way to one that has some",
    {
      topology: { ...twoPools, machines: [] },
      ladder: { checks: classic.checks.map((one) => (one.name === "provider-online" ? { ...one, level: "machine" } : one)) },
      fails: { "provider-online@space": [0] },
      forSeconds: 120,
    },
    ["start 30 app app/shop", "start 30 app app/store", "end 100 space done"],
  ],
  [
    "what is more fundamental is mended first where two needs touch and neither covers the other",
    {
      ladder: { checks: classic.checks.map((check) => (check.name === "provider-online" ? { ...check, level: "app" } : check)) },
      fails: { "provider-online@space": [0], "ping@machine/m1": [5] },
      forSeconds: 320,
    },
    [...run4to6(30), "start 240 app app/shop", "start 240 app app/store", "end 310 space done"],
  ],
  [
    "what fails on a machine while its app is mended settles meanwhile",
    { fails: { "services@machine/m1": [0], "ping@machine/m1": [105] }, forSeconds: 180 },
    ["start 30 converge machine/m1", "start 100 app app/shop", "end 170 machine/m1 done", "start 170 machine machine/m1"],
  ],
  [
    "a run of a machine takes the window of its app along when both ask for the same level",
    {
      ladder: { checks: [...classic.checks, check("agent", "machine", "app")] },
      fails: { "smoke@app/shop": [0], "agent@machine/m1": [10] },
      forSeconds: 110,
    },
    ["end 30 app/shop absorbed", "start 30 app app/shop", "end 100 machine/m1 done"],
  ],
  [
    "a part that a run left alone keeps no wider one from replacing it",
    {
      fails: { "pool-serves@pool/web": [0], "provider-online@space": [200] },
      start: { pauses: [pause("machine/m2", 0, 600)] },
      forSeconds: 245,
    },
    [
      "start 30 pool pool/web",
      "start 100 machine machine/m1",
      "start 170 converge machine/m1",
      "end 240 pool/web absorbed",
      "start 240 provider space",
    ],
  ],
];

for (const row of rows)
  test(row[0], () => {
    assert.deepEqual(happened(row), row[2]);
  });
