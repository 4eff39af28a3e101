import assert from "node:assert/strict";
import { test } from "node:test";
import type { CheckId } from "#model/names.ts";
import type { Target } from "#model/target.ts";
import { classic, idOf, inputOf, level, stateOf, t0, twoPools } from "../testing/ladder-world.ts";
import { explainCheck } from "./explain.ts";
import { indexLadder } from "./index-ladder.ts";
import type { LadderInput } from "./input.ts";
import { planLadder } from "./plan-ladder.ts";
import { type SimulateOptions, simulateLadder } from "./simulate.ts";

const index = indexLadder(classic, twoPools);
const smoke = idOf("smoke", "app/shop");
const ping = idOf("ping", "machine/m1");
const present = (more: Partial<LadderInput> = {}, failing: readonly CheckId[] = []): LadderInput => {
  const of = more.index ?? index;
  const states = new Map([...of.checks.keys()].map((id) => [id, stateOf(id, failing.includes(id), t0, t0)]));
  return inputOf(of, { states, ...more });
};
const timeline = (input: LadderInput, options: Partial<SimulateOptions> = {}) =>
  simulateLadder(input, { fail: [], forMs: 3_600_000, isMending: true, ...options }).lines.map(
    ({ atMs, kind, target, text }) => `${(atMs - t0) / 1_000} ${kind} ${target}: ${text}`,
  );
const explain = (input: LadderInput, id: CheckId) => {
  const check = input.index.checks.get(id);
  assert.ok(check);
  return explainCheck(input, check).lines;
};
const paused = (target: Target, forMs: number) => ({ pauses: [{ target, by: "ann", sinceMs: t0, untilMs: t0 + forMs }] });
const blind = { monitor: { probes: [{ name: "a", lastResultAtMs: t0 - 60_000, isSuspect: false }], freshMs: 60_000, isNetworkUp: true } };

test("a play tells what would be done, from the first failure to the end", () => {
  assert.deepEqual(timeline(present(), { fail: [ping, smoke] }), [
    "0 settling machine/m1: ping@machine/m1 fails; it may mend itself before anything is done",
    '30 begun machine/m1: ping@machine/m1, smoke@app/shop still fails and asks for level "machine" on machine/m1',
    '30 start machine/m1: `machine` (level "machine")',
    '95 verdict machine/m1: level "machine" on machine/m1 passed: its action exited well',
    '95 next-level machine/m1: next is level "converge"',
    '95 start machine/m1: `converge` (level "converge")',
    '160 verdict machine/m1: level "converge" on machine/m1 passed: its action exited well',
    '160 next-level machine/m1: next is level "app"',
    '160 start app/shop: `app` (level "app")',
    '225 verdict machine/m1: level "app" on app/shop passed: its action exited well',
    "225 done machine/m1: 3 steps passed",
  ]);
});

test("a play whose actions mend nothing ends with people", () => {
  assert.deepEqual(timeline(present(), { fail: [smoke], isMending: false }), [
    "0 settling app/shop: smoke@app/shop fails; it may mend itself before anything is done",
    '30 begun app/shop: smoke@app/shop still fails and asks for level "app" on app/shop',
    '30 start app/shop: `app` (level "app")',
    '95 verdict app/shop: level "app" on app/shop passed: its action exited well',
    "95 done app/shop: 1 step passed",
    "95 settling app/shop: smoke@app/shop fails; it may mend itself before anything is done",
    '125 begun app/shop: smoke@app/shop still fails and asks for level "app" on app/shop, attempt 2',
    '125 start app/shop: `app` (level "app")',
    '190 verdict app/shop: level "app" on app/shop passed: its action exited well',
    "190 done app/shop: 1 step passed",
    "190 settling app/shop: smoke@app/shop fails; it may mend itself before anything is done",
    '220 begun app/shop: smoke@app/shop still fails and asks for level "app" on app/shop, attempt 3',
    '220 start app/shop: `app` (level "app")',
    '285 verdict app/shop: level "app" on app/shop passed: its action exited well',
    "285 done app/shop: 1 step passed",
    "285 settling app/shop: smoke@app/shop fails; it may mend itself before anything is done",
    '315 begun app/shop: smoke@app/shop still fails and asks for level "app" on app/shop, attempt 4',
    '315 start app/shop: app.rollback (level "app")',
    '380 verdict app/shop: level "app" on app/shop passed: its action exited well',
    "380 done app/shop: 1 step passed",
    "380 settling app/shop: smoke@app/shop fails; it may mend itself before anything is done",
    "410 people app/shop: smoke@app/shop fails again after 4 attempts, and the ladder knows nothing more",
    "410 tell people: app/shop needs a person: smoke@app/shop fails again after 4 attempts, and the ladder knows nothing more",
    "410 waits app/shop: nobody has acknowledged yet that app/shop needs a person",
  ]);
});

test("a play begins with what fails already, and with the step that is under way", () => {
  let input = present({}, [smoke]);
  for (const nowMs of [t0, t0 + 30_000, t0 + 30_000]) {
    const saved = planLadder({ ...input, nowMs }).actions.flatMap((action) => (action.kind === "save" ? [action.escalation] : []));
    input = { ...input, nowMs, escalations: saved };
  }
  assert.deepEqual(timeline(input), [
    '95 verdict app/shop: level "app" on app/shop passed: its action exited well',
    "95 done app/shop: 1 step passed",
  ]);
  assert.deepEqual(simulateLadder(input, { fail: [], forMs: 1_000, isMending: true }).outcomes, [
    {
      escalation: "app/shop@1800000000000",
      outcome: "still under way",
      target: "app/shop",
    },
  ]);
});

test("a play says what keeps something from being done", () => {
  assert.deepEqual(timeline(present(paused("app/shop", 100_000)), { fail: [smoke] }), [
    "0 waits app/shop: app/shop is paused by ann",
    "100 settling app/shop: smoke@app/shop fails; it may mend itself before anything is done",
    '130 begun app/shop: smoke@app/shop still fails and asks for level "app" on app/shop',
    '130 start app/shop: `app` (level "app")',
    '195 verdict app/shop: level "app" on app/shop passed: its action exited well',
    "195 done app/shop: 1 step passed",
  ]);
  assert.deepEqual(timeline(present(blind), { fail: [smoke] }), [
    "0 tell people: 1 of 1 probes see nothing, so the checks say nothing",
    "0 waits app/shop: 1 of 1 probes see nothing, so the checks say nothing",
  ]);
});

test("a play follows the hours in which checks are silent", () => {
  const silentAt = (nowMs: number) =>
    nowMs < t0 + 60_000 ? { checks: new Set(["smoke"]), untilMs: t0 + 60_000 } : { checks: new Set<string>(), untilMs: null };
  assert.deepEqual(timeline(present({ silent: silentAt(t0) }), { fail: [smoke], silentAt }), [
    "60 settling app/shop: smoke@app/shop fails; it may mend itself before anything is done",
    '90 begun app/shop: smoke@app/shop still fails and asks for level "app" on app/shop',
    '90 start app/shop: `app` (level "app")',
    '155 verdict app/shop: level "app" on app/shop passed: its action exited well',
    "155 done app/shop: 1 step passed",
  ]);
});

test("in a play a probe that sees goes on seeing", () => {
  const monitor = { probes: [{ name: "a", lastResultAtMs: t0 - 10_000, isSuspect: false }], freshMs: 20_000, isNetworkUp: true };
  assert.deepEqual(timeline(present({ monitor }), { fail: [smoke], forMs: 30_000 }).at(-1), '30 start app/shop: `app` (level "app")');
});

/** The classic ladder, with a check of its own for the app's level, and nothing to wait for after its action. */
const ownCheck = indexLadder(
  { ...classic, levels: [level("app", "app", { check: "smoke", quietMs: 0, attempts: 1, remedies: [] })] },
  twoPools,
);

test("in a play an action mends its level's own check the moment that it ends, or not at all", () => {
  assert.deepEqual(timeline(present({ index: ownCheck }), { fail: [smoke] }).slice(-2), [
    '35 verdict app/shop: level "app" on app/shop passed: its action exited well and its check passes',
    "35 done app/shop: 1 step passed",
  ]);
  const failed = 'level "app" on app/shop failed: its check smoke@app/shop fails: fails in this play';
  assert.ok(timeline(present({ index: ownCheck }), { fail: [smoke], isMending: false }).includes(`35 verdict app/shop: ${failed}`));
});

test("in a play an action mends the checks of its level where it acts, and no others", () => {
  const pauses = ["machine/m3", "app/shop"].map((target) => ({ target: target as Target, by: "ann", sinceMs: t0, untilMs: t0 + 400_000 }));
  const begun = timeline(present({ pauses }), { fail: [ping, idOf("ping", "machine/m3"), smoke] }).filter((line) =>
    line.includes(" start "),
  );
  assert.deepEqual(begun, [
    '30 start machine/m1: `machine` (level "machine")',
    '95 start machine/m1: `converge` (level "converge")',
    '430 start app/shop: `app` (level "app")',
    '430 start machine/m3: `machine` (level "machine")',
    '495 start machine/m3: `converge` (level "converge")',
    '560 start app/store: `app` (level "app")',
  ]);
});

test("a play tells how the runs ended that were open or began in it, with what their steps came to, and of no others", () => {
  const before = simulateLadder(present(), { fail: [smoke], forMs: 600_000, isMending: true }).escalations;
  const nowMs = t0 + 7_200_000;
  const { outcomes, escalations } = simulateLadder(present({ escalations: before, nowMs }), {
    fail: [ping],
    forMs: 600_000,
    isMending: true,
  });
  assert.deepEqual(outcomes, [{ escalation: `machine/m1@${nowMs}`, target: "machine/m1", outcome: "done" }]);
  assert.deepEqual(escalations.at(-1)?.steps[0]?.ended, { atMs: nowMs + 35_000, result: "ok", exitCode: 0, output: "" });
});

test("what was done before a play mends nothing in it", () => {
  const before = simulateLadder(present(), { fail: [smoke], forMs: 600_000, isMending: true }).escalations;
  const later = simulateLadder(present({ escalations: before, nowMs: t0 + 7_200_000 }), { fail: [smoke], forMs: 600_000, isMending: true });
  assert.deepEqual(
    later.outcomes.map(({ outcome }) => outcome),
    ["done"],
  );
});

test("a play says of which run people are told", () => {
  const { lines } = simulateLadder(present(), { fail: [smoke], forMs: 3_600_000, isMending: false });
  assert.deepEqual(
    lines.filter(({ kind }) => kind === "tell").map(({ escalation }) => escalation),
    [`app/shop@${t0 + 380_000}`],
  );
});

test("a play is plain data that survives a round through JSON", () => {
  const story = simulateLadder(present(), { fail: [ping], forMs: 600_000, isMending: true });
  assert.deepEqual(JSON.parse(JSON.stringify(story)), story);
});

test("an explanation says what makes a check failing, what is done then, and what comes after that", () => {
  assert.deepEqual(explain(present(), smoke), [
    "2 failures in a row, 10s apart, make it failing; then it has 30s to recover by itself",
    'after 30s: `app` (level "app") on app/shop',
    "if that does not help, after 3 attempts: app.rollback, then people",
  ]);
  assert.deepEqual(explain(present(), ping), [
    "2 failures in a row, 10s apart, make it failing; then it has 30s to recover by itself",
    'after 30s: `machine` (level "machine") on machine/m1',
    'after 95s: `converge` (level "converge") on machine/m1',
    'after 160s: `app` (level "app") on app/shop',
    "if that does not help, after 2 attempts: people",
  ]);
});

test("an explanation names what keeps everything from being done", () => {
  assert.deepEqual(explain(present(paused("space", 90_000)), smoke), [
    "2 failures in a row, 10s apart, make it failing; then it has 30s to recover by itself",
    "at once: it waits: space is paused by ann",
    'after 2m: `app` (level "app") on app/shop',
    "if that does not help, after 3 attempts: app.rollback, then people",
  ]);
  assert.equal(explain(present(paused("space", 3_529_000)), smoke)[2], 'after 59 min 19 s: `app` (level "app") on app/shop');
  assert.deepEqual(explain(present(blind), smoke), [
    "2 failures in a row, 10s apart, make it failing; then it has 30s to recover by itself",
    "at once: people are told: 1 of 1 probes see nothing, so the checks say nothing",
    "at once: it waits: 1 of 1 probes see nothing, so the checks say nothing",
    "if that does not help, after 3 attempts: app.rollback, then people",
  ]);
  assert.deepEqual(explain(present({ silent: { checks: new Set(["smoke"]), untilMs: null } }), smoke), [
    "nothing now: it is outside its expected hours, or in maintenance",
  ]);
});

test("an explanation says when nothing is done within an hour", () => {
  const check = index.checks.get(smoke);
  assert.ok(check);
  const silentAt = () => ({ checks: new Set(["smoke"]), untilMs: null });
  assert.equal(explainCheck(present(), check, { silentAt }).lines[1], "then nothing is done within an hour");
});

test("an explanation names people once, also where the ladder does", () => {
  const levels = [level("app", "app", { attempts: 1, remedies: [{ kind: "people" }] })];
  const other = indexLadder({ ...classic, levels, checks: classic.checks.filter(({ name }) => name === "smoke") }, twoPools);
  assert.equal(explain(present({ index: other }), smoke).at(-1), "if that does not help, after 1 attempt: people");
});

test("an explanation leaves out what other checks lead to", () => {
  assert.deepEqual(explain(present({}, [idOf("ping", "machine/m3")]), smoke), [
    "2 failures in a row, 10s apart, make it failing; then it has 30s to recover by itself",
    'after 30s: `app` (level "app") on app/shop',
    "if that does not help, after 3 attempts: app.rollback, then people",
  ]);
});

test("an explanation of a level that waits for a person, and of a check that asks for nothing", () => {
  const levels = [level("app", "app", { attempts: 1, remedies: [{ kind: "wider" }], approve: { withinMs: 600_000, otherwise: "people" } })];
  const checks = classic.checks.map((one) => (one.name === "smoke" ? { ...one, failures: 1 } : { ...one, level: null }));
  const other = indexLadder({ ...classic, levels, checks }, twoPools);
  assert.deepEqual(explain(present({ index: other }), smoke), [
    "1 failure makes it failing; then it has 30s to recover by itself",
    'after 30s: people are told: level "app" on app/shop waits for approval',
    'after 30s: it waits: level "app" waits for a person to approve it',
    'after 10 min 30 s: people are told: app/shop needs a person: nobody approved level "app" within 10m',
    "after 10 min 30 s: it waits: nobody has acknowledged yet that app/shop needs a person",
    "if that does not help, after 1 attempt: the next wider level, then people",
  ]);
  assert.deepEqual(explain(present({ index: other }), ping), ["nothing: it is watched only"]);
});
