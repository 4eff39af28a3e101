import assert from "node:assert/strict";
import { test } from "node:test";
import type { CheckId } from "#model/names.ts";
import {
  changeOne,
  heardAt,
  killed,
  m1Down,
  moment,
  type PlanRow,
  pause,
  said,
  smoke,
  smokeFails,
  without,
} from "../testing/ladder-plans.ts";
import { levelsWith } from "../testing/ladder-rows.ts";
import { check, classic, playScene, type Scene, stateOf, t0 } from "../testing/ladder-world.ts";
import { planLadder } from "./plan-ladder.ts";
import { finishStep, stopRun } from "./record.ts";

/** Several steps, runs and checks at a time. */

const bothServices = { fails: { "services@machine/m1": [0], "services@machine/m2": [0] } } as const;
const smokeHeardAt = (atSeconds: number) => ({
  states: new Map([[smoke as CheckId, stateOf(smoke as CheckId, true, t0, t0 + atSeconds * 1_000)]]),
});

/** Two machines of a pool fail, of which one at once may be acted on; the run of the first is stopped in its quiet period. */
const oneOfTwo = () => {
  const guards = { ...classic.guards, atOnce: 0.5 };
  const input = moment({ ...bothServices, ladder: { guards } }, 60, ["services@machine/m2"]);
  const outcome = { kind: "stopped", atMs: t0 + 60_000, reason: "" } as const;
  return { ...input, escalations: input.escalations.map((run) => (run.target === "machine/m1" ? { ...run, outcome } : run)) };
};

/** Two machines on which the run of their pool acts, from 100 s on. */
const bothOfPool = { fails: { "pool-serves@pool/web": [0] } } as const;
const serves = "pool-serves@pool/web";
/** A machine whose app could not be mended, and whose next level a mass failure holds. */
const agentInMassFailure: Scene = {
  ladder: {
    guards: { ...classic.guards, massFailure: { share: 0.1, count: 0, withinMs: 600_000 } },
    checks: [check("agent", "machine", "app")],
    levels: levelsWith("app", { attempts: 1, remedies: [{ kind: "wider" }] }),
  },
  fails: { "agent@machine/m1": [0] },
  broken: ["app app/shop"],
};

const plans: readonly PlanRow[] = [
  [
    "a machine of a pool of which enough are acted on waits until the first of them is free, also when its run has ended",
    oneOfTwo,
    { does: [], waits: ["machine/m2: 1 machine of pool/web may be acted on at once"], again: 100 },
  ],
  [
    "what another run acts on is waited for",
    () => moment(bothServices, 105, []),
    { waits: ['app/shop: level "app" acts on app/shop', 'app/shop: level "app" acts on app/shop'], again: 220 },
  ],
  [
    "and then its quiet period",
    () => moment(bothServices, 120, []),
    {
      waits: ['app/shop: the quiet period of level "app" on app/shop', 'app/shop: the quiet period of level "app" on app/shop'],
      again: 170,
    },
  ],
  [
    "a result that is about to be too old is a moment to look again",
    () => moment(smokeFails, 10, [], smokeHeardAt(-10)),
    { does: [], waits: ["app/shop: smoke@app/shop fails; it may mend itself before anything is done"], again: 25 },
  ],
  ["and one that is too old asks for nothing", () => moment(smokeFails, 25, [], smokeHeardAt(-10)), { does: [], waits: [], again: 30 }],
  [
    "what is more fundamental is waited for by what it touches, also when it has to wait itself",
    () => {
      const checks = classic.checks.map((one) => (one.name === "provider-online" ? { ...one, level: "app" } : one));
      const fails = { "services@machine/m1": [0], "ping@machine/m1": [32], "provider-online@space": [10] } as const;
      return moment({ fails, ladder: { checks } }, 45, ["ping@machine/m1", "provider-online@space"]);
    },
    {
      does: [],
      waits: [
        'machine/m1: the quiet period of level "converge" on machine/m1',
        "space: ping@machine/m1, which is more fundamental, is mended first on machine/m1",
      ],
      again: 100,
    },
  ],
  [
    "everything that acts is waited for",
    () => moment(bothOfPool, 105, [serves]),
    { does: [], waits: ['machine/m1: level "machine" acts on machine/m1', 'machine/m2: level "machine" acts on machine/m2'], again: 220 },
  ],
  [
    "and what it keeps from being begun",
    () => moment({ ...bothOfPool, ladder: { guards: { ...classic.guards, atOnce: 0.5 } } }, 105, [serves]),
    { does: [], waits: ['machine/m1: level "machine" acts on machine/m1', "machine/m2: 1 machine of pool/web may be acted on at once"] },
  ],
  [
    "also in the quiet period",
    () => moment({ ...bothOfPool, ladder: { guards: { ...classic.guards, atOnce: 0.5 } } }, 120, [serves]),
    {
      does: [],
      waits: ['machine/m1: the quiet period of level "machine" on machine/m1', "machine/m2: 1 machine of pool/web may be acted on at once"],
      again: 170,
    },
  ],
  [
    "of two steps that are over, one is judged in a plan",
    () => moment(bothOfPool, 169, [serves], { nowMs: t0 + 170_000 }),
    { does: ['save pool/web: level "machine" on machine/m1 passed: its action exited well'] },
  ],
  [
    "of two steps whose server died, one is made again in a plan",
    () => moment(bothOfPool, 105, [serves], { term: 2 }),
    {
      does: [
        'save pool/web: level "machine" on machine/m1 was cut short by the end of a server and is repeated (1)',
        "start machine machine/m1 1",
      ],
    },
  ],
  [
    "of two steps whose server died and whose run is stopped, one is written in a plan",
    () => changeOne(moment(bothOfPool, 105, [serves], { term: 2 }), (run) => stopRun(run, "ann", t0)),
    { does: ['save pool/web: level "machine" on machine/m1 failed: it was ended with the server that ran it'] },
  ],
  [
    "all steps whose server died wait for the end of a pause",
    () => moment(bothOfPool, 105, [serves], { term: 2, pauses: [pause("pool/web", t0 + 300_000)] }),
    {
      does: [],
      waits: ["machine/m1: pool/web is paused by ann", "machine/m2: pool/web is paused by ann", "pool/web: pool/web is paused by ann"],
      again: 300,
    },
  ],
  [
    "a step whose server died is made again although the level that its run began with is gone",
    () => without({ ...moment(m1Down, 105, []), term: 2 }, "machine"),
    {
      does: [
        'save machine/m1: level "converge" on machine/m1 was cut short by the end of a server and is repeated (1)',
        "start converge machine/m1 1",
      ],
    },
  ],
  [
    "a step that has ended is not judged when its level is gone",
    () => without(moment(smokeFails, 50, [smoke]), "app"),
    { does: ['save app/shop: level "app" on app/shop failed: the ladder has its level no more'] },
  ],
  [
    "a step that failed without an exit code says so",
    () =>
      changeOne(moment(smokeFails, 35, [smoke]), (run) =>
        finishStep(run, run.steps[0]?.id ?? ("" as never), 1, { ...killed, result: "failed" }),
      ),
    { does: ['save app/shop: level "app" on app/shop failed: its action failed'] },
  ],
  [
    "rule 8: one of two checks that is seen after the quiet period is enough",
    () => {
      const input = heardAt(moment(m1Down, 245, []), 245, 239, "ping@machine/m1", true);
      const services = "services@machine/m1" as CheckId;
      return { ...input, states: new Map([...input.states, [services, stateOf(services, true, t0, t0 + 240_000)]]) };
    },
    { does: ["save machine/m1: ping@machine/m1, services@machine/m1 fails; it may mend itself before anything is done"] },
  ],
  [
    "a run over a pool ends the mass failure in the very plan in which it begins",
    () => {
      const guards = { ...classic.guards, massFailure: { share: 0.2, count: 1, withinMs: 600_000 } };
      const notices = [{ key: "mass-failure", sinceMs: t0, text: "" }];
      const failing = [serves, "ping@machine/m1", "ping@machine/m2"];
      return moment({ ...bothOfPool, ladder: { guards } }, 29, failing, { nowMs: t0 + 30_000, notices });
    },
    {
      does: [
        'save pool/web: pool-serves@pool/web, ping@machine/m1, ping@machine/m2 still fails and asks for level "pool" on pool/web',
        "clear mass-failure",
      ],
    },
  ],
  [
    "a wider level that a mass failure holds is waited for",
    () => moment(agentInMassFailure, 129, ["agent@machine/m1"], { nowMs: t0 + 130_000 }),
    {
      does: ["tell 1 of 4 machines failed within 10m; rebuilding them could make it worse"],
      waits: ["machine/m1: 1 of 4 machines failed within 10m; rebuilding them could make it worse"],
    },
  ],
  [
    "the budget counts from the first step on that it is filled by, of whichever run that is",
    () => {
      const fails = { "services@machine/m1": [0], "services@machine/m3": [10] } as const;
      const { escalations } = playScene({ fails, forSeconds: 200 });
      const guards = { ...classic.guards, actionsPerHour: 2 };
      const scene: Scene = { ladder: { guards }, fails: { "ping@machine/m2": [200] } };
      return moment({ ...scene, start: { escalations, nowMs: t0 + 200_000 } }, 231, ["ping@machine/m2"], {
        escalations: playScene({ ...scene, start: { escalations, nowMs: t0 + 200_000 }, forSeconds: 231 }).escalations,
        nowMs: t0 + 231_000,
      });
    },
    { waits: ["machine/m2: the budget of 2 actions an hour is used up"], again: 3_700 },
  ],
];

for (const row of plans)
  test(row[0], () => {
    assert.deepEqual(said(row), row[2]);
  });

test("the order in which runs are given changes nothing", () => {
  const input = moment(bothServices, 99, [], { nowMs: t0 + 100_000 });
  assert.deepEqual(planLadder({ ...input, escalations: input.escalations.toReversed() }), planLadder(input));
});

test("a run says how many steps it made, and counts none that it left alone", () => {
  const scene: Scene = { ...bothOfPool, start: { pauses: [pause("machine/m2", t0 + 600_000)] } };
  assert.equal(playScene(scene).escalations[0]?.outcome?.reason, "4 steps passed");
});
