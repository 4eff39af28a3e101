import type { Escalation } from "#model/ladder.ts";
import type { CheckId } from "#model/names.ts";
import type { Target } from "#model/target.ts";
import { indexLadder } from "../ladder/index-ladder.ts";
import type { LadderAction, LadderInput, LadderPlan } from "../ladder/input.ts";
import { planLadder } from "../ladder/plan-ladder.ts";
import { describeReason } from "../ladder/reasons.ts";
import { levelsWith } from "./ladder-rows.ts";
import { classic, inputOf, playScene, type Scene, stateOf, t0, twoPools } from "./ladder-world.ts";

/** Single plans, whole: what is done, what is waited for, and when to look again. */

export const pause = (target: Target, untilMs: number) => ({ target, by: "ann", sinceMs: t0, untilMs });
export const smoke = "smoke@app/shop";
export const smokeFails = { fails: { [smoke]: [0] } } as const;
export const m1Down = { fails: { "ping@machine/m1": [0] } } as const;

/** What the planner is given so many seconds into a scene, with these checks failing then and everything else well. */
export function moment(scene: Scene, seconds: number, failing: readonly string[], more: Partial<LadderInput> = {}): LadderInput {
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

export function says({ actions, waiting, replanAtMs }: LadderPlan) {
  const again = replanAtMs === null || replanAtMs > t0 + 1e8 ? null : (replanAtMs - t0) / 1_000;
  return {
    does: actions.map(wordsOf),
    waits: waiting.map(({ target, reason }) => `${target}: ${describeReason(reason)}`),
    again,
  };
}

export const changeOne = (input: LadderInput, change: (run: Escalation) => Escalation | null): LadderInput => ({
  ...input,
  escalations: input.escalations.map((run) => (run.outcome === null ? (change(run) ?? run) : run)),
});

export const killed = { atMs: t0 + 35_000, result: "killed", exitCode: null, output: "" } as const;
export const approvedApp = { ladder: { levels: levelsWith("app", { approve: { withinMs: 100_000, otherwise: "people" } }) } } as const;
export const hangs = { ...smokeFails, hangs: ["app app/shop"] } as const;
export const breaks = { ...smokeFails, broken: ["app app/shop"] } as const;
export const allKilled = (run: Escalation): Escalation => ({ ...run, steps: run.steps.map((step) => ({ ...step, isKilled: true })) });
export const interrupted = (often: number) => (run: Escalation) => ({
  ...run,
  steps: run.steps.map((step) => ({ ...step, interruptions: often })),
});
export const without = (input: LadderInput, ...names: readonly string[]): LadderInput => ({
  ...input,
  index: indexLadder({ ...classic, levels: classic.levels.filter(({ name }) => !names.includes(name)) }, twoPools),
});
export const heardAt = (input: LadderInput, seconds: number, atSeconds: number, id = smoke, isFailing = false): LadderInput => ({
  ...input,
  nowMs: t0 + seconds * 1_000,
  states: new Map([[id as CheckId, stateOf(id as CheckId, isFailing, t0, t0 + atSeconds * 1_000)]]),
});

/** A sentence about one plan, what the planner is given, and what it says. */
export type PlanRow = readonly [sentence: string, input: () => LadderInput, says: Partial<ReturnType<typeof says>>];

/** What the plan says of what the row names. */
export function said([, input, expected]: PlanRow): PlanRow[2] {
  const all = says(planLadder(input()));
  return Object.fromEntries(Object.keys(expected).map((key) => [key, all[key as keyof typeof all]]));
}
