import assert from "node:assert/strict";
import { test } from "node:test";
import type { CheckState } from "#model/check.ts";
import type { Escalation } from "#model/ladder.ts";
import type { CheckId } from "#model/names.ts";
import type { Target } from "#model/target.ts";
import { check, classic, inputOf, type level, playScene, type Scene, stateOf, t0, twoPools } from "../testing/ladder-world.ts";
import { indexLadder } from "./index-ladder.ts";
import type { LadderAction, LadderInput, LadderPlan } from "./input.ts";
import { planLadder } from "./plan-ladder.ts";
import { describeReason } from "./reasons.ts";
import { decideApproval, finishStep, stopRun } from "./record.ts";

/** Single plans, whole: what is done, what is waited for, and when to look again. */

const levelsWith = (name: string, more: Parameters<typeof level>[2]) =>
  classic.levels.map((one) => (one.name === name ? { ...one, ...more } : one));
const pause = (target: Target, untilMs: number) => ({ target, by: "ann", sinceMs: t0, untilMs });
const smoke = "smoke@app/shop";
const smokeFails = { fails: { [smoke]: [0] } } as const;
const m1Down = { fails: { "ping@machine/m1": [0] } } as const;

/** What the planner is given so many seconds into a scene, with these checks failing then and everything else well. */
function moment(scene: Scene, seconds: number, failing: readonly string[], more: Partial<LadderInput> = {}): LadderInput {
  const index = indexLadder({ ...classic, ...scene.ladder }, scene.topology ?? twoPools);
  const { escalations } = playScene({ ...scene, forSeconds: seconds });
  const nowMs = t0 + seconds * 1_000;
  const isFailing = new Set(failing);
  // Heard in a while, so that no check goes stale in these plans.
  const states = new Map([...index.checks.keys()].map((id) => [id, stateOf(id, isFailing.has(id), t0, nowMs + 1e9)]));
  return inputOf(index, { escalations, states, nowMs, ...scene.start, ...more });
}

function wordsOf(action: LadderAction): string {
  if (action.kind === "save") {
    const { target, outcome } = action.escalation;
    return `${outcome?.kind ?? "save"} ${target}: ${describeReason(action.reason)}`;
  }
  if (action.kind === "start") return `start ${action.step.level} ${action.step.target} ${action.step.attempt}`;
  if (action.kind === "kill") return `kill ${action.step.slice(action.step.indexOf("/", 12) + 1)}: ${describeReason(action.reason)}`;
  return action.kind === "tell" ? `tell ${action.notice.text}` : `clear ${action.key}`;
}

function says({ actions, waiting, replanAtMs }: LadderPlan) {
  const again = replanAtMs === null || replanAtMs > t0 + 1e8 ? null : (replanAtMs - t0) / 1_000;
  return {
    does: actions.map(wordsOf),
    waits: waiting.map(({ target, reason }) => `${target}: ${describeReason(reason)}`),
    again,
  };
}

const changeOne = (input: LadderInput, change: (run: Escalation) => Escalation | null): LadderInput => ({
  ...input,
  escalations: input.escalations.map((run) => (run.outcome === null ? (change(run) ?? run) : run)),
});

const killed = { atMs: t0 + 35_000, result: "killed", exitCode: null, output: "" } as const;
const approvedApp = { ladder: { levels: levelsWith("app", { approve: { withinMs: 100_000, otherwise: "people" } }) } } as const;
const hangs = { ...smokeFails, hangs: ["app app/shop"] } as const;
const breaks = { ...smokeFails, broken: ["app app/shop"] } as const;
const allKilled = (run: Escalation): Escalation => ({ ...run, steps: run.steps.map((step) => ({ ...step, isKilled: true })) });
const interrupted = (often: number) => (run: Escalation) => ({
  ...run,
  steps: run.steps.map((step) => ({ ...step, interruptions: often })),
});
const without = (input: LadderInput, ...names: readonly string[]): LadderInput => ({
  ...input,
  index: indexLadder({ ...classic, levels: classic.levels.filter(({ name }) => !names.includes(name)) }, twoPools),
});
const heardAt = (input: LadderInput, seconds: number, atSeconds: number, id = smoke, isFailing = false): LadderInput => ({
  ...input,
  nowMs: t0 + seconds * 1_000,
  states: new Map([[id as CheckId, stateOf(id as CheckId, isFailing, t0, t0 + atSeconds * 1_000)]]),
});

/** A pool that counts its ready machines, some seconds into a scene in which a run mended it. @param pingAt when m1 was last seen to fail, in seconds */
function counted(seconds: number, pingAt: number): LadderInput {
  const [, ping] = classic.checks.map((one) => (one.name === "ping" ? { ...one, level: null } : one));
  const serves = check("serves", "pool", "pool", { test: { kind: "ready", least: 1 } });
  const scene: Scene = { ladder: { checks: ping === undefined ? [serves] : [ping, serves] }, fails: { "serves@pool/web": [0] } };
  const nowMs = t0 + seconds * 1_000;
  const failing = (id: string, atMs: number) => [id as CheckId, stateOf(id as CheckId, true, t0, atMs)] as const;
  const states = new Map([failing("serves@pool/web", nowMs), failing("ping@machine/m1", t0 + pingAt * 1_000)]);
  return { ...moment(scene, seconds, []), states };
}

const plans: readonly (readonly [sentence: string, input: () => LadderInput, says: Partial<ReturnType<typeof says>>])[] = [
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
    () => counted(315, 270),
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
    { does: [], again: 90 },
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

const more: typeof plans = [
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
];

const poolChecked = { fails: { "pool-serves@pool/web": [0] }, ladder: { levels: levelsWith("pool", { check: "services" }) } } as const;
const appChecked = { ...smokeFails, ladder: { levels: levelsWith("app", { check: "pool-serves" }) } } as const;
const failedCheck = (id: string): CheckState => stateOf(id as CheckId, true, t0, t0 + 1e9);

/** A level whose check has this state once the quiet period is over. */
function judged(scene: Scene, seconds: number, states: readonly CheckState[]) {
  const input = moment(scene, 99, []);
  const known = new Map([...input.states, ...states.map((state) => [state.id, state] as const)]);
  return says(planLadder({ ...input, nowMs: t0 + seconds * 1_000, states: known }));
}

test("rule 8: the check of a level looks inside its target when it is not made there, and has to pass everywhere", () => {
  assert.deepEqual(judged(poolChecked, 100, []).does, [
    'save pool/web: level "pool" on pool/web passed: its action exited well and its check passes',
  ]);
  assert.deepEqual(judged(poolChecked, 100, [failedCheck("services@machine/m2")]).does.slice(0, 1), [
    'save pool/web: level "pool" on pool/web failed: its check services@machine/m2 fails: no answer',
  ]);
  assert.deepEqual(judged(poolChecked, 100, [failedCheck("services@machine/m3")]).does.slice(0, 1), [
    'save pool/web: level "pool" on pool/web passed: its action exited well and its check passes',
  ]);
});

test("or around it", () => {
  assert.deepEqual(judged(appChecked, 100, [failedCheck("pool-serves@pool/db")]).does.slice(0, 1), [
    'save app/shop: level "app" on app/shop passed: its action exited well and its check passes',
  ]);
  assert.deepEqual(judged(appChecked, 100, [failedCheck("pool-serves@pool/web")]).does.slice(0, 1), [
    'save app/shop: level "app" on app/shop failed: its check pool-serves@pool/web fails: no answer',
  ]);
});

test("a check that fails for the first time has neither passed nor failed, until it could have", () => {
  const wavering = { ...failedCheck("pool-serves@pool/web"), verdict: "ok" as const };
  assert.deepEqual(judged(appChecked, 100, [wavering]).waits, ['app/shop: the check of level "app" on app/shop']);
  assert.deepEqual(judged(appChecked, 134, [wavering]).does, []);
  assert.deepEqual(judged(appChecked, 135, [wavering]).does.slice(0, 1), [
    'save app/shop: level "app" on app/shop failed: its check pool-serves@pool/web did not pass',
  ]);
});

test("what was heard before the quiet period was over says nothing about the step", () => {
  const before = { ...failedCheck("pool-serves@pool/web"), atMs: t0 + 99_999 };
  assert.deepEqual(judged(appChecked, 100, [before]).waits, ['app/shop: the check of level "app" on app/shop']);
  const after = { ...before, atMs: t0 + 100_000 };
  assert.match(judged(appChecked, 100, [after]).does[0] ?? "", /its check pool-serves@pool\/web fails/);
});

test("a plan that waits for nothing says so", () => {
  const monitor = { probes: [{ name: "a", lastResultAtMs: t0 - 60_000, isSuspect: false }], freshMs: 60_000, isNetworkUp: true };
  assert.equal(planLadder(moment({}, 0, [], { monitor })).replanAtMs, null);
});

test("the order in which runs are given changes nothing", () => {
  const input = moment(bothServices, 99, [], { nowMs: t0 + 100_000 });
  assert.deepEqual(planLadder({ ...input, escalations: input.escalations.toReversed() }), planLadder(input));
});

test("rule 12: of a step that mends itself before its next attempt the others are left as they were", () => {
  const ladder = { levels: levelsWith("converge", { check: "services" }) };
  const input = moment({ ...m1Down, ladder, broken: ["converge machine/m1"] }, 115, []);
  const [action] = planLadder(input).actions;
  assert.ok(action?.kind === "save");
  assert.deepEqual(
    action.escalation.steps.map(({ level: name, verdict }) => [name, verdict?.kind]),
    [
      ["machine", "passed"],
      ["converge", "mended"],
    ],
  );
});

for (const [sentence, input, expected] of [...plans, ...more])
  test(sentence, () => {
    const said = says(planLadder(input()));
    assert.deepEqual(Object.fromEntries(Object.keys(expected).map((key) => [key, said[key as keyof typeof said]])), expected);
  });
