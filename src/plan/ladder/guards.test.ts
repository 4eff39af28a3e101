import assert from "node:assert/strict";
import { test } from "node:test";
import { guards, happened, levelsWith, m1Down, pause, pools, type Row, run4to6, smoke } from "../testing/ladder-rows.ts";
import { check, classic, t0 } from "../testing/ladder-world.ts";

/** What keeps something from being done: pauses, a monitor that sees nothing, mass failures, pools and budgets. */
const rows: readonly Row[] = [
  [
    "a paused app is left alone until its pause ends by itself",
    { fails: smoke, start: { pauses: [pause("app/shop", 0, 300)] } },
    ["start 330 app app/shop", "end 400 app/shop done"],
  ],
  ["a pause of the space covers everything in it", { fails: m1Down, start: { pauses: [pause("space", 0, 100)] } }, run4to6(130)],
  ["a pause of something else holds nothing", { fails: m1Down, start: { pauses: [pause("pool/db", 0, 300)] } }, run4to6(30)],
  [
    "of two pauses the longer one holds",
    { fails: smoke, start: { pauses: [pause("app/shop", 0, 50), pause("space", 0, 100)] } },
    ["start 130 app app/shop", "end 200 app/shop done"],
  ],
  [
    "a pause closes the settle window",
    { fails: smoke, input: (s) => ({ pauses: s >= 10 ? [pause("app/shop", 10, 20)] : [] }), changesAt: [10] },
    ["end 10 app/shop held", "start 50 app app/shop", "end 120 app/shop done"],
  ],
  [
    "a pause in the middle of a run: the current step ends, and what is next waits",
    { fails: m1Down, input: (s) => ({ pauses: s >= 35 ? [pause("machine/m1", 35, 300)] : [] }), changesAt: [35] },
    ["start 30 machine machine/m1", "start 300 converge machine/m1", "start 370 app app/shop", "end 440 machine/m1 done"],
  ],
  [
    "a wider run leaves the paused part of its target alone, on every level",
    { fails: { "pool-serves@pool/web": [0] }, start: { pauses: [pause("machine/m2", 0, 150)] } },
    [
      "start 30 pool pool/web",
      "start 100 machine machine/m1",
      "start 170 converge machine/m1",
      "start 240 app app/shop",
      "end 310 pool/web done",
    ],
  ],
  [
    "a blind monitor: nothing is done, people are told once, and what still fails afterwards settles anew",
    {
      fails: smoke,
      input: (s) => ({
        monitor: { probes: [{ name: "a", lastResultAtMs: t0 + 1e12, isSuspect: s < 100 }], freshMs: 60_000, isNetworkUp: true },
      }),
      changesAt: [100],
    },
    ["tell 0 1 of 1 probes see nothing, so the checks say nothing", "clear 100 blind", "start 130 app app/shop", "end 200 app/shop done"],
    ["start", "end", "tell", "clear"],
  ],
  [
    "half of the probes are enough",
    {
      fails: smoke,
      start: {
        monitor: {
          probes: [
            { name: "a", lastResultAtMs: t0 + 1e12, isSuspect: false },
            { name: "b", lastResultAtMs: 0, isSuspect: false },
          ],
          freshMs: 60_000,
          isNetworkUp: true,
        },
      },
    },
    ["start 30 app app/shop", "end 100 app/shop done"],
  ],
  [
    "a probe goes silent while the window is open",
    {
      fails: smoke,
      forSeconds: 600,
      start: { monitor: { probes: [{ name: "a", lastResultAtMs: t0, isSuspect: false }], freshMs: 20_000, isNetworkUp: true } },
    },
    ["end 20 app/shop held", "tell 20 1 of 1 probes see nothing, so the checks say nothing"],
  ],
  [
    "no probe at all sees nothing",
    { fails: smoke, start: { monitor: { probes: [], freshMs: 60_000, isNetworkUp: true } } },
    ["tell 0 0 of 0 probes see nothing, so the checks say nothing"],
  ],
  [
    "the server's own network is down",
    {
      fails: smoke,
      start: { monitor: { probes: [{ name: "a", lastResultAtMs: t0 + 1e12, isSuspect: false }], freshMs: 60_000, isNetworkUp: false } },
    },
    ["tell 0 the server's own network is down, so its checks say nothing"],
  ],
  [
    "a mass failure rebuilds nothing and tells people once",
    {
      topology: pools(0, 10),
      ladder: guards({ massFailure: { share: 0.2, count: 2, withinMs: 600_000 } }),
      fails: { "ping@machine/m1": [0], "ping@machine/m2": [5], "ping@machine/m3": [10], "services@machine/m3": [10] },
    },
    ["end 10 machine/m1 held", "end 10 machine/m2 held", "tell 10 3 of 10 machines failed within 10m; rebuilding them could make it worse"],
  ],
  [
    "as many as the count are no mass failure",
    {
      topology: pools(0, 10),
      ladder: guards({ massFailure: { share: 0.1, count: 2, withinMs: 600_000 } }),
      fails: { "services@machine/m1": [0], "services@machine/m2": [0] },
    },
    [
      "start 30 converge machine/m1",
      "start 30 converge machine/m2",
      "start 100 app app/shop",
      "start 170 app app/shop",
      "end 170 machine/m1 done",
      "end 240 machine/m2 done",
    ],
  ],
  [
    "as many as the share are no mass failure",
    { topology: pools(0, 10), ladder: guards({ massFailure: { share: 0.1, count: 0, withinMs: 600_000 } }), fails: m1Down },
    run4to6(30),
  ],
  [
    "nothing that fails is no mass failure, however small the share",
    { topology: pools(0, 10), ladder: guards({ massFailure: { share: 0.05, count: 0, withinMs: 600_000 } }) },
    [],
  ],
  [
    "a machine counts from its first failure on, whatever else of it fails later",
    {
      topology: pools(0, 10),
      ladder: guards({ massFailure: { share: 0.1, count: 1, withinMs: 9_000 } }),
      fails: { "ping@machine/m1": [0], "services@machine/m1": [20], "ping@machine/m2": [20] },
      forSeconds: 31,
    },
    ["start 30 machine machine/m1"],
  ],
  [
    "machines that fail one after the other are no mass failure",
    {
      topology: pools(0, 10),
      ladder: guards({ massFailure: { share: 0.1, count: 1, withinMs: 9_000 } }),
      fails: { "ping@machine/m1": [0, 20], "ping@machine/m2": [10, 20] },
    },
    ["end 30 machine/m1 recovered", "end 40 machine/m2 recovered"],
  ],
  [
    "a mass failure that a person has acknowledged holds no more",
    {
      topology: pools(0, 10),
      ladder: guards({ massFailure: { share: 0.1, count: 1, withinMs: 600_000 } }),
      fails: { "services@machine/m1": [0], "services@machine/m2": [0] },
      input: (s) => ({ massAcknowledgedAtMs: s >= 50 ? t0 + 50_000 : null }),
      changesAt: [50],
      forSeconds: 90,
    },
    [
      "tell 0 2 of 10 machines failed within 10m; rebuilding them could make it worse",
      "clear 50 mass-failure",
      "start 80 converge machine/m1",
      "start 80 converge machine/m2",
    ],
    ["start", "end", "tell", "clear"],
  ],
  [
    "in a mass failure the wider level that its own check asks for runs",
    {
      topology: pools(0, 4),
      ladder: guards({ massFailure: { share: 0.2, count: 2, withinMs: 600_000 } }),
      forSeconds: 60,
      fails: { "pool-serves@pool/web": [0], "ping@machine/m1": [0], "ping@machine/m2": [0], "ping@machine/m3": [0] },
    },
    ["tell 0 3 of 4 machines failed within 10m; rebuilding them could make it worse", "clear 30 mass-failure", "start 30 pool pool/web"],
    ["start", "end", "tell", "clear"],
  ],
  [
    "a share of a pool at once: the others wait for the quiet period",
    { topology: pools(0), ladder: guards({ atOnce: 0.5 }), fails: { "pool-serves@pool/web": [0] }, forSeconds: 200 },
    [
      "start 30 pool pool/web",
      "start 100 machine machine/m1",
      "start 100 machine machine/m2",
      "start 170 machine machine/m3",
      "start 170 machine machine/m4",
    ],
  ],
  [
    "the smallest share is one machine",
    { topology: pools(0, 2), ladder: guards({ atOnce: 0.1 }), fails: { "pool-serves@pool/web": [0] }, forSeconds: 200 },
    ["start 30 pool pool/web", "start 100 machine machine/m1", "start 170 machine machine/m2"],
  ],
  [
    "never below the minimum healthy: the broken first, then healthy ones one by one, as far as enough stay",
    { topology: pools(2, 3), fails: { "pool-serves@pool/web": [0], "ping@machine/m3": [0] }, forSeconds: 200 },
    ["start 30 pool pool/web", "start 100 machine machine/m3", "start 170 machine machine/m1"],
  ],
  [
    "a healthy machine that may not be spared is left alone",
    { topology: pools(3, 3), fails: { "pool-serves@pool/web": [0] } },
    ["start 30 pool pool/web", "start 100 app app/shop", "end 170 pool/web done"],
  ],
  [
    "the budget holds the next step until an hour is over, and people are told while it waits",
    { ladder: guards({ actionsPerHour: 2 }), fails: m1Down, forSeconds: 8_000 },
    [
      "start 30 machine machine/m1",
      "start 100 converge machine/m1",
      "tell 170 the budget of 2 actions an hour is used up",
      "start 3630 app app/shop",
      "clear 3630 budget",
      "end 3700 machine/m1 done",
    ],
    ["start", "end", "tell", "clear"],
  ],
  ["a dry run decides the same and does nothing", { fails: m1Down, start: { isDryRun: true }, forSeconds: 200 }, []],
  [
    "in a mass failure a machine's lighter levels that do not act on machines still run",
    {
      ladder: {
        ...guards({ massFailure: { share: 0.1, count: 0, withinMs: 600_000 } }),
        checks: [...classic.checks, check("agent", "machine", "app")],
      },
      fails: { "ping@machine/m1": [0], "agent@machine/m1": [0] },
      forSeconds: 120,
    },
    ["tell 0 1 of 4 machines failed within 10m; rebuilding them could make it worse", "start 30 app app/shop", "end 100 machine/m1 done"],
  ],
  [
    "and do not go on to a level that does",
    {
      ladder: {
        ...guards({ massFailure: { share: 0.1, count: 0, withinMs: 600_000 } }),
        checks: [check("agent", "machine", "app")],
        levels: levelsWith("app", { attempts: 1, remedies: [{ kind: "wider" }] }),
      },
      fails: { "agent@machine/m1": [0] },
      broken: ["app app/shop"],
      forSeconds: 300,
    },
    ["tell 0 1 of 4 machines failed within 10m; rebuilding them could make it worse", "start 30 app app/shop", "end 40 machine/m1 wider"],
  ],
  [
    "a dry run uses up no budget",
    { ladder: guards({ actionsPerHour: 1 }), fails: m1Down, start: { isDryRun: true }, forSeconds: 300 },
    ["end 210 machine/m1 done"],
    ["end"],
  ],
  [
    "and asks no check whether it helped",
    { ladder: { levels: levelsWith("app", { check: "smoke" }) }, fails: smoke, start: { isDryRun: true }, forSeconds: 100 },
    ["end 90 app/shop done"],
  ],
  [
    "nor do machines that failed when the acknowledgement came",
    {
      topology: pools(0, 10),
      ladder: guards({ massFailure: { share: 0.1, count: 1, withinMs: 600_000 } }),
      fails: { "services@machine/m1": [0], "services@machine/m2": [0] },
      start: { massAcknowledgedAtMs: t0 },
      forSeconds: 31,
    },
    ["start 30 converge machine/m1", "start 30 converge machine/m2"],
  ],
  [
    "in whatever order their names are",
    {
      topology: pools(0, 10),
      ladder: guards({ massFailure: { share: 0.1, count: 1, withinMs: 9_000 } }),
      fails: { "ping@machine/m1": [10, 20], "ping@machine/m2": [0, 20] },
    },
    ["end 30 machine/m2 recovered", "end 40 machine/m1 recovered"],
  ],
  [
    "machines that fail just within the time of a mass failure are one",
    {
      topology: pools(0, 10),
      ladder: guards({ massFailure: { share: 0.1, count: 1, withinMs: 9_000 } }),
      fails: { "ping@machine/m1": [0], "ping@machine/m2": [9] },
      forSeconds: 20,
    },
    ["tell 9 2 of 10 machines failed within 9s; rebuilding them could make it worse"],
    ["tell", "start"],
  ],
];

for (const row of rows)
  test(row[0], () => {
    assert.deepEqual(happened(row), row[2]);
  });
