import assert from "node:assert/strict";
import { test } from "node:test";
import type { Check } from "#model/check.ts";
import type { CheckId } from "#model/names.ts";
import {
  allKilled,
  approvedApp,
  breaks,
  changeOne,
  hangs,
  heardAt,
  interrupted,
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
import { check, classic, type Scene, stateOf, t0 } from "../testing/ladder-world.ts";
import type { LadderInput } from "./input.ts";
import { planLadder } from "./plan-ladder.ts";
import { decideApproval, finishStep, stopRun } from "./record.ts";

/** One run at a time: what is done next, what is waited for, and when to look again. */

/** A pool that counts its ready machines, some seconds into a scene in which a run mended it. @param pingAt when m1 was last seen to fail, in seconds */
function counted(seconds: number, pingAt: number, test: Check["test"] = { kind: "ready", least: 1 }): LadderInput {
  const [, ping] = classic.checks.map((one) => (one.name === "ping" ? { ...one, level: null } : one));
  const serves = check("serves", "pool", "pool", { test });
  const scene: Scene = { ladder: { checks: ping === undefined ? [serves] : [ping, serves] }, fails: { "serves@pool/web": [0] } };
  const nowMs = t0 + seconds * 1_000;
  const failing = (id: string, atMs: number) => [id as CheckId, stateOf(id as CheckId, true, t0, atMs)] as const;
  const states = new Map([failing("serves@pool/web", nowMs), failing("ping@machine/m1", t0 + pingAt * 1_000)]);
  return { ...moment(scene, seconds, []), states };
}

const plans: readonly PlanRow[] = [
  [
    "rule 8: what failed before the quiet period was over is no failure after it",
    () => heardAt(moment(smokeFails, 105, []), 105, 99, smoke, true),
    { does: [], waits: [] },
  ],
  [
    "rule 8: what fails when the quiet period is over counts",
    () => heardAt(moment(smokeFails, 105, []), 105, 100, smoke, true),
    { does: ["save app/shop: smoke@app/shop fails; it may mend itself before anything is done"] },
  ],
  [
    "rule 8: a run over a machine is quiet for the whole of it, until its last step is",
    () => heardAt(moment(m1Down, 245, []), 245, 239, "ping@machine/m1", true),
    { does: [], waits: [] },
  ],
  [
    "rule 8: what fails on a machine when all of its run is over counts",
    () => heardAt(moment(m1Down, 245, []), 245, 240, "ping@machine/m1", true),
    { does: ["save machine/m1: ping@machine/m1 fails; it may mend itself before anything is done"] },
  ],
  ["rule 8: a count of ready machines is as old as what was seen of them", () => counted(315, 309), { does: [], waits: [] }],
  [
    "rule 8: a count of ready machines counts once they were looked at",
    () => counted(315, 310),
    { does: ["save pool/web: serves@pool/web fails; it may mend itself before anything is done"] },
  ],
  [
    "rule 8: a count of ready machines waits for none that is not looked at any more",
    () => counted(315, 280),
    { does: ["save pool/web: serves@pool/web fails; it may mend itself before anything is done"] },
  ],
  [
    "rule 8: a check of a pool that counts nothing is as old as itself",
    () => counted(315, 309, { kind: "icmp", host: null }),
    { does: ["save pool/web: serves@pool/web fails; it may mend itself before anything is done"] },
  ],
  [
    "rule 2: an open window is waited for until it has settled",
    () => moment(smokeFails, 10, [smoke]),
    { does: [], waits: ["app/shop: smoke@app/shop fails; it may mend itself before anything is done"], again: 30 },
  ],
  [
    "a step that acts is waited for until its timeout",
    () => moment(smokeFails, 35, [smoke]),
    { does: [], waits: ['app/shop: level "app" acts on app/shop'], again: 150 },
  ],
  [
    "rule 9: a step at its timeout is killed",
    () => moment(hangs, 149, [smoke], { nowMs: t0 + 150_000 }),
    { does: ["save app/shop: it took longer than 2m", "kill app/app/shop/1: it took longer than 2m"], waits: [] },
  ],
  [
    "a step that was told to end is waited for, and not told twice",
    () => changeOne(moment(hangs, 149, [smoke], { nowMs: t0 + 151_000 }), allKilled),
    { does: [], waits: ['app/shop: level "app" acts on app/shop'], again: null },
  ],
  [
    "rule 8: a quiet period is waited for until it is over",
    () => moment(smokeFails, 50, []),
    { does: [], waits: ['app/shop: the quiet period of level "app" on app/shop'], again: 100 },
  ],
  [
    "a person stops a run: what acts is ended",
    () => changeOne(moment(smokeFails, 35, [smoke]), (run) => stopRun(run, "ann", t0)),
    { does: ["save app/shop: stopped by ann", "kill app/app/shop/1: stopped by ann"], waits: [] },
  ],
  [
    "a stopped run goes on for as long as its step acts",
    () => changeOne(moment(smokeFails, 35, [smoke]), (run) => stopRun(allKilled(run), "ann", t0)),
    { does: [], waits: ['app/shop: level "app" acts on app/shop'] },
  ],
  [
    "a step that was ended has failed, whoever ended it",
    () => changeOne(moment(smokeFails, 35, [smoke]), (run) => finishStep(run, run.steps[0]?.id ?? ("" as never), 1, killed)),
    { does: ['save app/shop: level "app" on app/shop failed: its action was ended'] },
  ],
  [
    "a stopped run ends when nothing of it acts",
    () => changeOne(moment(breaks, 45, [smoke]), (run) => stopRun(run, "ann", t0)),
    { does: ["stopped app/shop: stopped by ann"] },
  ],
  [
    "a run whose level is taken out of the ladder ends",
    () => without(moment(breaks, 45, [smoke]), "app"),
    { does: ['stopped app/shop: the ladder has no level "app" any more'] },
  ],
  [
    "and what acts for it is ended, because nothing says any more how long it may take",
    () => without(moment(smokeFails, 35, [smoke]), "app"),
    {
      does: ['save app/shop: the ladder has no level "app" any more', 'kill app/app/shop/1: the ladder has no level "app" any more'],
    },
  ],
  [
    "a run whose first level is taken out of the ladder goes on with the lighter ones",
    () => without({ ...moment(m1Down, 100, []), nowMs: t0 + 120_000 }, "machine"),
    { does: [], waits: ['machine/m1: level "converge" acts on machine/m1'], again: 220 },
  ],
  [
    "and starts what is next in it",
    () => {
      const input = without({ ...moment(m1Down, 100, []), nowMs: t0 + 170_000 }, "machine");
      return changeOne(input, (run) => ({ ...run, steps: run.steps.slice(0, 1) }));
    },
    { does: ['save machine/m1: level "converge" on machine/m1, attempt 1', "start converge machine/m1 1"] },
  ],
  [
    "rule 9: the next attempt is waited for until its pause is over",
    () => moment({ ...breaks, ladder: { levels: levelsWith("app", { quietMs: 0, retryMs: 20_000 }) } }, 45, [smoke]),
    { does: [], waits: ['app/shop: the next attempt of level "app" on app/shop'], again: 60 },
  ],
  [
    "people are asked for approval once, and nothing else is waited for in that plan",
    () => {
      const input = moment({ ...smokeFails, ...approvedApp }, 29, [smoke], { nowMs: t0 + 30_000 });
      const escalations = planLadder(input).actions.flatMap((action) => (action.kind === "save" ? [action.escalation] : []));
      return { ...input, escalations };
    },
    {
      does: ['save app/shop: level "app" waits for a person to approve it', 'tell level "app" on app/shop waits for approval'],
      waits: [],
    },
  ],
  [
    "an approval is waited for until its time is over",
    () =>
      moment({ ...smokeFails, ...approvedApp }, 40, [smoke], { notices: [{ key: `approval:app/shop@${t0}:app`, sinceMs: t0, text: "" }] }),
    { does: [], waits: ['app/shop: level "app" waits for a person to approve it'], again: 130 },
  ],
  [
    "what somebody refuses is let be",
    () => changeOne(moment({ ...smokeFails, ...approvedApp }, 40, [smoke]), (run) => decideApproval(run, false, "bob", t0 + 40_000)),
    {
      does: [
        'dropped app/shop: bob refused level "app"',
        "save app/shop: smoke@app/shop fails; it may mend itself before anything is done",
      ],
    },
  ],
  [
    "what somebody approves begins at once",
    () => changeOne(moment({ ...smokeFails, ...approvedApp }, 40, [smoke]), (run) => decideApproval(run, true, "bob", t0 + 40_000)),
    { does: ['save app/shop: level "app" on app/shop, attempt 1', "start app app/shop 1"] },
  ],
  [
    "rule 7: a wider need waits for the current step and its quiet period",
    () => moment({ fails: { "services@machine/m1": [0], "pool-serves@pool/web": [32] } }, 65, ["pool-serves@pool/web"]),
    {
      does: [],
      waits: ['machine/m1: the quiet period of level "converge" on machine/m1', "pool/web: the run on machine/m1 that is under way"],
      again: 100,
    },
  ],
  [
    "what is paused is waited for until the longest of its pauses ends, and the end of any pause is a moment to look again",
    () => moment(smokeFails, 0, [smoke], { escalations: [], pauses: [pause("app/shop", t0 + 50_000), pause("space", t0 + 20_000)] }),
    { does: [], waits: ["app/shop: app/shop is paused by ann"], again: 20 },
  ],
  [
    "rule 8: a failure in a quiet period is recorded only",
    () => moment(m1Down, 50, ["services@machine/m1", "ping@machine/m1"]),
    { does: [], waits: ['machine/m1: the quiet period of level "machine" on machine/m1'], again: 100 },
  ],
  [
    "rule 11: a step whose server died is made again under the same number, if what it was to mend still fails",
    () => moment(m1Down, 35, ["ping@machine/m1"], { term: 2 }),
    {
      does: [
        'save machine/m1: level "machine" on machine/m1 was cut short by the end of a server and is repeated (1)',
        "start machine machine/m1 1",
      ],
    },
  ],
  [
    "rule 12: and is left alone if that is well",
    () => moment(m1Down, 35, [], { term: 2 }),
    {
      does: ['save machine/m1: level "machine" on machine/m1 mended: a server died while it acted, and what it was to mend is well'],
    },
  ],
  [
    "a step whose server died is not made again while it is paused",
    () => moment(m1Down, 35, ["ping@machine/m1"], { term: 2, pauses: [pause("machine/m1", t0 + 90_000)] }),
    { does: [], waits: ["machine/m1: machine/m1 is paused by ann", "machine/m1: machine/m1 is paused by ann"], again: 90 },
  ],
  [
    "nor when a person has stopped its run",
    () => changeOne(moment(m1Down, 35, ["ping@machine/m1"], { term: 2 }), (run) => stopRun(run, "ann", t0)),
    { does: ['save machine/m1: level "machine" on machine/m1 failed: it was ended with the server that ran it'] },
  ],
  [
    "nor when it was told to end",
    () => changeOne(moment(m1Down, 35, ["ping@machine/m1"], { term: 2 }), allKilled),
    { does: ['save machine/m1: level "machine" on machine/m1 failed: it was ended with the server that ran it'] },
  ],
  [
    "a step with which twenty servers died is made again",
    () => changeOne(moment(m1Down, 35, ["ping@machine/m1"], { term: 2 }), interrupted(19)),
    {
      does: [
        'save machine/m1: level "machine" on machine/m1 was cut short by the end of a server and is repeated (20)',
        "start machine machine/m1 1",
      ],
    },
  ],
  [
    "and after one more it is what kills them",
    () => changeOne(moment(m1Down, 35, ["ping@machine/m1"], { term: 2 }), interrupted(20)),
    { does: ['save machine/m1: level "machine" on machine/m1 failed: a server died 21 times while it acted'] },
  ],
  [
    "a space becomes a dry run: what acts for the live one may end first",
    () => moment(m1Down, 35, [], { isDryRun: true }),
    { does: [], waits: ['machine/m1: level "machine" acts on machine/m1'], again: 150 },
  ],
  [
    "but not longer than its timeout",
    () => moment(m1Down, 35, [], { isDryRun: true, nowMs: t0 + 150_000 }),
    { does: ["stopped machine/m1: the space became a dry run", "kill machine/machine/m1/1: the space became a dry run"], waits: [] },
  ],
  [
    "nor when the server that ran it is gone",
    () => moment(m1Down, 35, [], { isDryRun: true, term: 2 }),
    { does: ["stopped machine/m1: the space became a dry run", "kill machine/machine/m1/1: the space became a dry run"] },
  ],
  [
    "and a run of which nothing acts ends at once",
    () => moment(m1Down, 50, [], { isDryRun: true }),
    { does: ["stopped machine/m1: the space became a dry run"] },
  ],
  [
    "a level's own check is waited for while it may still be heard",
    () => heardAt(moment({ ...smokeFails, ladder: { levels: levelsWith("app", { check: "smoke" }) } }, 99, []), 101, 99),
    { does: [], waits: ['app/shop: the check of level "app" on app/shop'], again: 135 },
  ],
  [
    "and has not passed when it says nothing for so long",
    () => heardAt(moment({ ...smokeFails, ladder: { levels: levelsWith("app", { check: "smoke" }) } }, 99, []), 135, 99),
    { does: ['save app/shop: level "app" on app/shop failed: its check smoke@app/shop says nothing'] },
  ],
  [
    "rule 9: a level goes wider as long as any of the run's checks fails",
    () => {
      const ladder = { levels: levelsWith("converge", { attempts: 1, remedies: [{ kind: "wider" }] }) };
      const fails = { "services@machine/m1": [0], [smoke]: [0] } as const;
      const input = moment({ fails, broken: ["converge machine/m1"], ladder }, 35, ["services@machine/m1"], { nowMs: t0 + 41_000 });
      const verdict = { atMs: t0 + 40_000, kind: "failed", reason: "it broke" } as const;
      const ended = { atMs: t0 + 40_000, result: "failed", exitCode: 1, output: "" } as const;
      return changeOne(input, (run) => ({ ...run, steps: run.steps.map((step) => ({ ...step, ended, verdict })) }));
    },
    { does: ['wider machine/m1: level "converge" failed on machine/m1 after 1 attempt: it broke'] },
  ],
];

for (const row of plans)
  test(row[0], () => {
    assert.deepEqual(said(row), row[2]);
  });

test("a plan that waits for nothing says so", () => {
  const monitor = { probes: [{ name: "a", lastResultAtMs: t0 - 60_000, isSuspect: false }], freshMs: 60_000, isNetworkUp: true };
  assert.equal(planLadder(moment({}, 0, [], { monitor })).replanAtMs, null);
});

test("rule 12: of a step that mends itself before its next attempt the others are left as they were", () => {
  const ladder = { levels: levelsWith("converge", { check: "services" }) };
  const input = moment({ ...m1Down, ladder, broken: ["converge machine/m1"] }, 115, []);
  const [action, ...others] = planLadder(input).actions;
  assert.ok(action?.kind === "save");
  assert.equal(others.length, 0);
  assert.deepEqual(
    action.escalation.steps.map(({ level: name, verdict }) => [name, verdict?.kind]),
    [
      ["machine", "passed"],
      ["converge", "mended"],
    ],
  );
});
