import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pause } from "#model/ladder.ts";
import type { AppName, MachineId, PoolName } from "#model/names.ts";
import type { Target, Topology } from "#model/target.ts";
import { check, classic, type level, lines, playScene, type Scene, t0, twoPools } from "../testing/ladder-world.ts";

const pause = (target: Target, from: number, until: number): Pause => ({
  target,
  by: "ann",
  sinceMs: t0 + from * 1_000,
  untilMs: t0 + until * 1_000,
});
const levelsWith = (name: string, more: Parameters<typeof level>[2]) =>
  classic.levels.map((one) => (one.name === name ? { ...one, ...more } : one));
const guards = (more: Partial<typeof classic.guards>) => ({ guards: { ...classic.guards, ...more } });
const pools = (minHealthy: number, count = 4): Topology => ({
  pools: [{ name: "web" as PoolName, minHealthy }],
  machines: Array.from({ length: count }, (_, i) => ({
    name: `m${i + 1}` as MachineId,
    pool: "web" as PoolName,
    apps: ["shop" as AppName],
  })),
  apps: ["shop" as AppName],
});
const m1Down = { "ping@machine/m1": [0] } as const;
const smoke = { "smoke@app/shop": [0] } as const;
const run4to6 = (at: number, name = "m1") => [
  `start ${at} machine machine/${name}`,
  `start ${at + 70} converge machine/${name}`,
  `start ${at + 140} app app/shop`,
  `end ${at + 210} machine/${name} done`,
];

const rows: readonly (readonly [sentence: string, scene: Scene, happens: readonly string[], kinds?: readonly string[]])[] = [
  // Guards.
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
  // Approval.
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
  // Steps.
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
    "a lighter level begins with its first attempt, however often the heavier one was tried",
    { fails: { "ping@machine/m1": [0] }, lies: ["machine machine/m1"], forSeconds: 500 },
    [...run4to6(30), "start 270 machine machine/m1", "start 340 converge machine/m1", "start 410 app app/shop", "end 480 machine/m1 done"],
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
];

for (const [sentence, scene, happens, kinds] of rows)
  test(sentence, () => {
    assert.deepEqual(lines(playScene(scene).played, kinds ?? undefined), happens);
  });
