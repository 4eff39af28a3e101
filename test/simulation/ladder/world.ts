import type { CheckState, ProbeView } from "../../../src/model/check.ts";
import type { Escalation, Ladder, Notice, Pause, StepEnd } from "../../../src/model/ladder.ts";
import type { CheckId, EscalationId, StepId } from "../../../src/model/names.ts";
import type { Target } from "../../../src/model/target.ts";
import { silentChecks } from "../../../src/plan/checks/expected-hours.ts";
import { foldResult, unknownState } from "../../../src/plan/checks/fold-result.ts";
import { findSuspects } from "../../../src/plan/checks/suspects.ts";
import { indexLadder, type LadderIndex } from "../../../src/plan/ladder/index-ladder.ts";
import type { LadderAction, LadderInput, StepOrder } from "../../../src/plan/ladder/input.ts";
import { planLadder } from "../../../src/plan/ladder/plan-ladder.ts";
import { describeReason } from "../../../src/plan/ladder/reasons.ts";
import { acknowledge, decideApproval, finishStep, stopRun } from "../../../src/plan/ladder/record.ts";
import type { SeededRandom } from "../random.ts";
import { Environment, type Execution } from "./environment.ts";
import { randomLadder } from "./ladders.ts";

export const startMs = 1_800_000_000_000;
/** How often every check is made. */
export const tickMs = 10_000;
/** After so long in which nothing happened, what goes on is waiting: every check was made, and people were asked, several times. */
const restMs = 120_000;

/** A place from which every check is made. */
interface Probe {
  readonly name: string;
  lastResultAtMs: number;
  /** Until when it sends nothing. */
  silentUntilMs: number;
  /** Until when everything fails at it, and nowhere else. */
  cutUntilMs: number;
}

/** A space with its ladder: the real planner and check folding over an environment, an executor and people that are simulated. */
export class LadderWorld {
  readonly random: SeededRandom;
  readonly environment: Environment;
  readonly ladder: Ladder;
  readonly index: LadderIndex;
  readonly trace: string[] = [];
  nowMs = startMs;
  term = 1;
  isServerUp = true;
  isDryRun = false;
  isNetworkUp = true;
  readonly probes: readonly Probe[];
  suspects: ReadonlySet<string> = new Set();
  /** When each check really failed last, or came out at random. */
  readonly brokenAtMs = new Map<CheckId, number>();
  massAcknowledgedAtMs: number | null = null;
  /** Checks whose results come out at random until then. */
  readonly flutter = new Map<CheckId, number>();
  readonly runs = new Map<EscalationId, Escalation>();
  readonly notices = new Map<string, Notice>();
  pauses: Pause[] = [];
  states: Map<CheckId, CheckState>;
  deathShare = 0;
  /** Called before an action is carried out. */
  onAction: (action: LadderAction) => void = () => {};
  #executions = new Map<StepId, Execution>();
  #replanAtMs: number | null = null;
  #stirredAtMs = startMs;
  #silent: LadderInput["silent"] = { checks: new Set(), untilMs: startMs };

  constructor(random: SeededRandom) {
    this.random = random;
    this.environment = new Environment(random);
    this.ladder = randomLadder(random, startMs);
    const names = ["server", "agent", "edge"].slice(0, random.pick([1, 1, 2, 3]));
    this.probes = names.map((name) => ({ name, lastResultAtMs: startMs, silentUntilMs: 0, cutUntilMs: 0 }));
    this.index = indexLadder(this.ladder, this.environment.topology);
    this.states = new Map([...this.index.checks.keys()].map((id) => [id, unknownState(id, startMs)]));
  }

  note(what: string): void {
    this.#stirredAtMs = this.nowMs;
    this.trace.push(`${((this.nowMs - startMs) / 1_000).toFixed(1)} ${what}`);
  }

  input(): LadderInput {
    return {
      index: this.index,
      states: this.states,
      silent: this.silent(),
      monitor: {
        probes: this.probes.map(({ name, lastResultAtMs }) => ({ name, lastResultAtMs, isSuspect: this.suspects.has(name) })),
        freshMs: 25_000,
        isNetworkUp: this.isNetworkUp,
      },
      escalations: [...this.runs.values()],
      pauses: this.pauses,
      notices: [...this.notices.values()],
      massAcknowledgedAtMs: this.massAcknowledgedAtMs,
      isDryRun: this.isDryRun,
      term: this.term,
      nowMs: this.nowMs,
    };
  }

  /** Moves the clock to the next tick, stopping wherever something happens on the way, or the planner says that something may. */
  tick(): void {
    const endMs = this.nowMs + tickMs;
    this.makeChecks();
    this.settle();
    for (let stops = 0; stops < 1_000; stops++) {
      const times = [...this.#executions.values()].map(({ endsAtMs }) => endsAtMs).concat(this.isServerUp ? this.#replanAtMs : null);
      const next = Math.min(endMs, ...times.filter((atMs) => atMs !== null && atMs > this.nowMs).map(Number));
      this.nowMs = next;
      if (this.#endExecutions() || next === this.#replanAtMs) this.settle();
      if (next === endMs) return;
    }
    throw new Error("time stands still");
  }

  /** Whether there is nothing to do, as the last plan said of this moment. */
  isResting(): boolean {
    return !this.isServerUp || planLadder(this.input()).actions.length === 0;
  }

  /** Passes over the ticks in which nothing acts, every check goes on to say the same, and the planner waits: hours of them, for a small budget. */
  leap(untilMs: number): void {
    const { nowMs } = this;
    if (nowMs - this.#stirredAtMs < restMs || this.#executions.size > 0 || !this.isServerUp) return;
    const input = this.input();
    const states = new Map([...this.states].map(([id, state]) => [id, { ...state, atMs: untilMs }]));
    const probes = input.monitor.probes.map((probe) => ({ ...probe, lastResultAtMs: untilMs }));
    const plan = planLadder({ ...input, states, monitor: { ...input.monitor, probes } });
    if (plan.actions.length > 0) return;
    const nextMs = Math.min(untilMs, plan.replanAtMs ?? untilMs);
    this.nowMs += Math.floor((nextMs - nowMs) / tickMs) * tickMs;
  }

  silent(): LadderInput["silent"] {
    const { untilMs } = this.#silent;
    if (untilMs !== null && this.nowMs >= untilMs) this.#silent = silentChecks(this.ladder.checks, this.nowMs);
    return this.#silent;
  }

  makeChecks(): void {
    const { nowMs } = this;
    this.pauses = this.pauses.filter(({ untilMs }) => untilMs > nowMs);
    const speaking = this.probes.filter(({ silentUntilMs }) => silentUntilMs <= nowMs);
    for (const probe of speaking) probe.lastResultAtMs = nowMs;
    const isUsual = speaking.length === this.probes.length && this.isNetworkUp && speaking.every(({ cutUntilMs }) => cutUntilMs <= nowMs);
    this.suspects = this.probes.length > 1 && !isUsual ? findSuspects(this.states.values(), this.ladder.guards.suspectMonitor) : new Set();
    const passing = this.#agreed(speaking, true);
    const failing = this.#agreed(speaking, false);
    for (const { id, check, target } of this.index.checks.values()) {
      const state = this.states.get(id) ?? unknownState(id, nowMs);
      const isFluttering = (this.flutter.get(id) ?? 0) > nowMs;
      const isWell = this.environment.passes(check.name, target);
      if (!isWell || isFluttering) this.brokenAtMs.set(id, nowMs);
      // What goes on as it was is not folded: most results are of that kind, and thousands of histories are made of them.
      if (isUsual && state.verdict === (isWell ? "ok" : "failing") && state.isPassing === isWell && !isFluttering) {
        this.states.set(id, { ...state, atMs: nowMs, probes: isWell ? passing : failing });
        continue;
      }
      for (const { name: probe, cutUntilMs } of speaking) {
        const isCut = cutUntilMs > nowMs || (probe === "server" && !this.isNetworkUp);
        const isOk = isFluttering ? this.random.chance(0.5) : isWell && !isCut;
        const before = this.states.get(id) ?? state;
        const result = { check: id, probe, atMs: nowMs, isOk, message: isOk ? "fine" : "fails" };
        const folded = foldResult(before, check, result, (name) => this.suspects.has(name));
        if (folded.change !== null) this.note(`check ${id} is ${folded.change.to}`);
        this.states.set(id, folded.state);
      }
    }
  }

  /** What is known of a check of which all probes say the same, as often as it takes. */
  #agreed(speaking: readonly Probe[], isOk: boolean): Readonly<Record<string, ProbeView>> {
    const view: ProbeView = { atMs: this.nowMs, isOk, failures: isOk ? 0 : 2, message: isOk ? "fine" : "fails" };
    return Object.fromEntries(speaking.map(({ name }) => [name, view]));
  }

  /** Lets the server plan until it has nothing more to do at this moment, or dies. */
  settle(): void {
    for (let round = 0; this.isServerUp; round++) {
      if (round > 500) throw new Error("the planner does not come to rest");
      const plan = planLadder(this.input());
      this.#replanAtMs = plan.replanAtMs;
      if (plan.actions.length === 0) return;
      for (const action of plan.actions) {
        if (this.random.chance(this.deathShare)) {
          this.killServer();
          return;
        }
        this.onAction(action);
        this.#carryOut(action);
      }
    }
  }

  killServer(): void {
    if (!this.isServerUp) return;
    this.note("server dies");
    this.isServerUp = false;
    // Some of what it had started dies with it, some goes on unseen and does its work.
    for (const id of [...this.#executions.keys()]) if (this.random.chance(0.5)) this.#executions.delete(id);
  }

  startServer(): void {
    if (this.isServerUp) return;
    this.term++;
    this.isServerUp = true;
    this.note(`server of term ${this.term} starts`);
  }

  write(run: Escalation | null, what: string): void {
    if (run === null) return;
    this.note(`${what} ${run.id}`);
    this.runs.set(run.id, run);
  }

  pause(target: Target, forMs: number): void {
    this.note(`pause ${target} for ${forMs / 1_000} s`);
    this.pauses.push({ target, by: "ann", sinceMs: this.nowMs, untilMs: this.nowMs + forMs });
  }

  /** People do what is asked of them, each with this chance. */
  answer(share: number): void {
    for (const run of [...this.runs.values()]) {
      if (run.outcome?.kind === "people" && this.random.chance(share)) this.write(acknowledge(run, "ann", this.nowMs), "acknowledge");
      if (run.approvals.length > 0 && this.random.chance(share))
        this.write(decideApproval(run, share === 1 || this.random.chance(0.8), "ann", this.nowMs), "decide");
    }
    if (this.notices.has("mass-failure") && this.random.chance(share)) this.massAcknowledgedAtMs = this.nowMs;
  }

  stopSome(): void {
    const open = [...this.runs.values()].filter(({ outcome }) => outcome === null);
    if (open.length > 0) this.write(stopRun(this.random.pick(open), "ann", this.nowMs), "stop");
  }

  #carryOut(action: LadderAction): void {
    switch (action.kind) {
      case "save":
        this.note(
          `${action.escalation.target}: ${describeReason(action.reason)}${action.escalation.outcome === null ? "" : ` (${action.escalation.outcome.kind})`}`,
        );
        this.runs.set(action.escalation.id, action.escalation);
        return;
      case "start":
        this.#start(action.step);
        return;
      case "kill":
        this.note(`kill ${action.step}`);
        this.#end(action.step, {
          atMs: this.nowMs,
          result: action.reason.kind === "overdue" ? "timed-out" : "killed",
          exitCode: null,
          output: "",
        });
        return;
      case "tell":
        this.note(`tell: ${action.notice.text}`);
        this.notices.set(action.notice.key, action.notice);
        return;
      case "clear":
        this.notices.delete(action.key);
        return;
      default:
        action satisfies never;
    }
  }

  #start(step: StepOrder): void {
    const execution = this.environment.execute(step, this.nowMs);
    this.note(`start ${step.id} (${execution.temper})`);
    this.#executions.set(step.id, execution);
  }

  #endExecutions(): boolean {
    const over = [...this.#executions.values()].filter(({ endsAtMs }) => endsAtMs !== null && endsAtMs <= this.nowMs);
    for (const execution of over) {
      const result = this.environment.complete(execution);
      this.#end(execution.step.id, { atMs: this.nowMs, result, exitCode: result === "ok" ? 0 : 1, output: "" });
    }
    return over.length > 0;
  }

  #end(id: StepId, end: StepEnd): void {
    const execution = this.#executions.get(id);
    this.#executions.delete(id);
    if (execution === undefined || !this.isServerUp || execution.step.term !== this.term) return;
    const run = this.runs.get(execution.step.escalation);
    const next = run === undefined ? null : finishStep(run, id, this.term, end);
    if (next === null) return;
    this.note(`ended ${id} ${end.result}`);
    this.runs.set(next.id, next);
  }
}
