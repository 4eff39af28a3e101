import type { CheckState } from "../../../src/model/check.ts";
import type { Escalation, StepRecord } from "../../../src/model/ladder.ts";
import type { EscalationId } from "../../../src/model/names.ts";
import type { LadderAction, StepOrder } from "../../../src/plan/ladder/input.ts";
import type { LadderWorld } from "./world.ts";

const order = ["space", "pool", "machine", "app"];
/** Three intervals of ten seconds, and a timeout of five. */
const freshMs = 35_000;
/** A plan costs more than a look at the records: so many of them go without. */
const looksOfPlan = 8;
const kindOf = (target: string) => (target.includes("/") ? target.slice(0, target.indexOf("/")) : target);

/**
 * Judges every action of the planner before it is carried out, from what the design page promises and from the records as they are then. Written
 * from that page; it shares no code with the planner, so that one misunderstanding is not made twice.
 */
export class LadderChecker {
  readonly problems: string[] = [];
  readonly #world: LadderWorld;
  readonly #started = new Map<string, number>();
  readonly #starts: number[] = [];
  #looks = 0;
  readonly #machinesOf = new Map<string, Set<string>>();
  readonly #poolOf = new Map<string, string>();

  constructor(world: LadderWorld) {
    this.#world = world;
    const { machines, pools, apps } = world.environment.topology;
    for (const { name } of pools)
      this.#machinesOf.set(`pool/${name}`, new Set(machines.filter(({ pool }) => pool === name).map((one) => `machine/${one.name}`)));
    for (const { name, pool } of machines) {
      this.#machinesOf.set(`machine/${name}`, new Set([`machine/${name}`]));
      this.#poolOf.set(`machine/${name}`, `pool/${pool}`);
    }
    for (const app of apps)
      this.#machinesOf.set(`app/${app}`, new Set(machines.filter((one) => one.apps.includes(app)).map((one) => `machine/${one.name}`)));
  }

  readonly judge = (action: LadderAction): void => {
    if (action.kind === "save") this.#judgeSave(action.escalation);
    if (action.kind === "start") this.#judgeStart(action.step);
  };

  /** After everything has come to rest. */
  look(): void {
    if (this.#looks++ % looksOfPlan === 0 && !this.#world.isResting()) this.#problem("a plan has something to do before its time");
    const active = this.#active();
    for (const [i, a] of active.entries())
      for (const b of active.slice(i + 1))
        if (this.#overlap(a.target, b.target)) this.#problem(`two runs in one scope: ${a.id} and ${b.id}`);
  }

  /** What is not well although nothing was broken for long, every action works and people answer. */
  converged(): void {
    const { environment, runs, states } = this.#world;
    if (!environment.isWhole()) this.#problem("the environment is not whole");
    for (const run of runs.values()) if (run.outcome === null) this.#problem(`run ${run.id} does not end`);
    for (const state of states.values()) if (state.verdict !== "ok") this.#problem(`check ${state.id} is ${state.verdict}`);
  }

  #problem(what: string): void {
    this.#world.note(`PROBLEM ${what}`);
    this.problems.push(what);
  }

  #active(): readonly Escalation[] {
    const { runs, isDryRun } = this.#world;
    return [...runs.values()].filter((run) => run.outcome === null && run.begunAtMs !== null && run.isDryRun === isDryRun);
  }

  #inside(outer: string, inner: string): boolean {
    if (outer === "space" || outer === inner) return true;
    if (order.indexOf(kindOf(outer)) >= order.indexOf(kindOf(inner))) return false;
    const part = this.#machinesOf.get(inner);
    const whole = this.#machinesOf.get(outer);
    return part !== undefined && whole !== undefined && part.size > 0 && part.isSubsetOf(whole);
  }

  /** Two machines are apart even when an app runs on both; two apps are apart even on one machine. */
  #overlap(a: string, b: string): boolean {
    if (this.#inside(a, b) || this.#inside(b, a)) return true;
    if (kindOf(a) === kindOf(b)) return false;
    return !(this.#machinesOf.get(a) ?? new Set()).isDisjointFrom(this.#machinesOf.get(b) ?? new Set());
  }

  #levelIndex(name: string): number {
    return this.#world.ladder.levels.findIndex((level) => level.name === name);
  }

  #isFailing(state: CheckState): boolean {
    return state.verdict === "failing" && this.#world.nowMs - state.atMs < freshMs && !this.#isSilent(state.id);
  }

  /** By the wall clock of UTC, which every check with hours here has; the gap between them is within one day. */
  #isSilent(id: string): boolean {
    const { nowMs, ladder } = this.#world;
    const check = ladder.checks.find(({ name }) => id.startsWith(`${name}@`));
    const minute = (nowMs % 86_400_000) / 60_000;
    const isInGap = check?.expected != null && minute >= check.expected.untilMinute && minute < check.expected.fromMinute;
    return isInGap || (check?.maintenance ?? []).some((one) => one.kind === "once" && one.fromMs <= nowMs && nowMs < one.untilMs);
  }

  /** A majority of places can only say that something fails if it does, as long as most of those that speak are sound. */
  #judgeEvidence(run: Escalation): void {
    const { nowMs, probes, brokenAtMs } = this.#world;
    // A place that is silent for as long as a result stays fresh has no say any more.
    const heard = probes.filter(({ lastResultAtMs }) => nowMs - lastResultAtMs < freshMs);
    const isCut = ({ cutUntilMs }: { readonly cutUntilMs: number }) => nowMs - cutUntilMs < 60_000;
    if (heard.length < probes.length || heard.filter(isCut).length * 2 > heard.length) return;
    for (const { check } of run.failed)
      if (nowMs - (brokenAtMs.get(check) ?? 0) > 60_000) this.#problem(`${run.id} began for ${check}, which is well`);
  }

  #isPaused(target: string): boolean {
    return this.#world.pauses.some((pause) => pause.untilMs > this.#world.nowMs && this.#inside(pause.target, target));
  }

  #needsHuman(target: string): boolean {
    return [...this.#world.runs.values()].some(
      ({ outcome, isDryRun, target: own }) =>
        outcome?.kind === "people" && outcome.acknowledged === null && isDryRun === this.#world.isDryRun && this.#inside(own, target),
    );
  }

  #isMassFailure(): boolean {
    const { ladder, states, massAcknowledgedAtMs } = this.#world;
    const { share, count, withinMs } = ladder.guards.massFailure;
    const wide = this.#active().filter(
      ({ target, isDryRun }) => ["space", "pool"].includes(kindOf(target)) && isDryRun === this.#world.isDryRun,
    );
    const since: number[] = [];
    for (const machine of this.#poolOf.keys()) {
      if (wide.some(({ target }) => this.#inside(target, machine))) continue;
      const own = ["ping", "services"].flatMap((name) => states.get(`${name}@${machine}` as CheckState["id"]) ?? []);
      const failing = own.filter(
        (state) => this.#isFailing(state) && (massAcknowledgedAtMs === null || state.sinceMs > massAcknowledgedAtMs),
      );
      if (failing.length > 0) since.push(Math.min(...failing.map(({ sinceMs }) => sinceMs)));
    }
    return since.some((first) => {
      const together = since.filter((atMs) => atMs >= first && atMs <= first + withinMs).length;
      return together > count && together > share * this.#poolOf.size;
    });
  }

  #judgeSave(next: Escalation): void {
    const { nowMs, runs, ladder } = this.#world;
    const before = runs.get(next.id);
    if (before?.outcome != null) this.#problem(`${next.id} has ended and is changed`);
    if (before === undefined && next.outcome === null && (this.#isPaused(next.target) || this.#isBlind()))
      this.#problem(`${next.id} opens while it is held`);
    for (const step of before?.steps ?? []) {
      const after = next.steps.find(({ id }) => id === step.id);
      if (after === undefined) this.#problem(`${step.id} was forgotten`);
      if (step.ended !== null && after?.ended !== step.ended) this.#problem(`the end of ${step.id} was rewritten`);
    }
    if (before?.begunAtMs === null && next.begunAtMs !== null && next.outcome === null) this.#judgeBegin(next);
    if (before !== undefined && before.level !== null && before.level !== next.level) this.#problem(`${next.id} changed its level`);
    if (next.outcome?.kind === "recovered" && next.steps.some(({ action }) => action !== null))
      this.#problem(`${next.id} acted and says that it recovered by itself`);
    if (next.outcome?.kind === "done") {
      for (const level of ladder.levels.slice(this.#levelIndex(next.level ?? ""))) this.#levelIsDone(next, level.name, "done without");
      if (next.steps.some((step) => this.#busyUntil(step) > nowMs)) this.#problem(`${next.id} is done while a step goes on`);
    }
  }

  #judgeBegin(run: Escalation): void {
    const { nowMs, states, ladder, index } = this.#world;
    const windows = [...this.#world.runs.values()].filter((one) => this.#overlap(one.target, run.target) || one.id === run.id);
    if (!windows.some((one) => (one.begunAtMs === null || one.begunAtMs === nowMs) && nowMs >= one.openedAtMs + ladder.settleMs))
      this.#problem(`${run.id} began before its settle window was over`);
    if (this.#isBlind() || this.#isPaused(run.target) || this.#needsHuman(run.target)) this.#problem(`${run.id} began although it is held`);
    const level = this.#levelIndex(run.level ?? "");
    if (kindOf(run.target) !== "space" && ladder.levels[level]?.scope === "machine" && this.#isMassFailure())
      this.#problem(`${run.id} began in a mass failure`);
    const asked: number[] = [];
    for (const { id, check, target } of index.checks.values()) {
      const state = states.get(id);
      if (state === undefined || !this.#isFailing(state) || !this.#inside(run.target, target)) continue;
      const asks = this.#levelIndex(check.level ?? "");
      if (this.#isPaused(target) || this.#needsHuman(target)) continue;
      asked.push(asks);
    }
    if (asked.length === 0) this.#problem(`${run.id} began and nothing fails`);
    for (const { check } of run.failed)
      if (this.#isSilent(check)) this.#problem(`${run.id} began for ${check}, which asks for nothing now`);
    this.#judgeEvidence(run);
    if (Math.min(...asked) < level) this.#problem(`${run.id} began with "${run.level}", and something more fundamental fails`);
    const isWider = Math.min(...asked) > level;
    const tried = [...this.#world.runs.values()].some(
      ({ outcome, failed }) =>
        (outcome?.kind === "done" || outcome?.kind === "wider") &&
        failed.some(({ check }) => run.failed.some((one) => one.check === check)),
    );
    if (isWider && !tried) this.#problem(`${run.id} began wider than its checks ask for, and nothing was tried before`);
  }

  #isBlind(): boolean {
    const { isNetworkUp, nowMs, probes, suspects } = this.#world;
    const seeing = probes.filter(({ name, lastResultAtMs }) => nowMs - lastResultAtMs < 25_000 && !suspects.has(name));
    return !isNetworkUp || seeing.length * 2 < probes.length;
  }

  #busyUntil(step: StepRecord): number {
    if (step.action === null) return 0;
    if (step.ended === null) return Number.POSITIVE_INFINITY;
    return step.ended.atMs + (this.#world.ladder.levels[this.#levelIndex(step.level)]?.quietMs ?? 0);
  }

  #targetsOf(outer: string, scope: string): readonly string[] {
    const { topology } = this.#world.environment;
    const all: Readonly<Record<string, readonly string[]>> = {
      space: ["space"],
      pool: topology.pools.map(({ name }) => `pool/${name}`),
      machine: topology.machines.map(({ name }) => `machine/${name}`),
      app: topology.apps.map((name) => `app/${name}`),
    };
    return (all[scope] ?? []).filter(
      (target) => this.#inside(outer, target) || (order.indexOf(scope) > order.indexOf(kindOf(outer)) && this.#overlap(outer, target)),
    );
  }

  #levelIsDone(run: Escalation, level: string, what: string): void {
    const scope = this.#world.ladder.levels[this.#levelIndex(level)]?.scope ?? "";
    for (const target of this.#targetsOf(run.target, scope)) {
      const last = run.steps.filter((step) => step.level === level && step.target === target).at(-1);
      if (last === undefined || last.verdict === null || last.verdict.kind === "failed")
        this.#problem(`${run.id}: ${what} level "${level}" on ${target}`);
    }
  }

  #judgeStart(step: StepOrder): void {
    const { nowMs, runs, ladder, isDryRun, term, environment, states } = this.#world;
    const run = runs.get(step.escalation as EscalationId);
    const record = run?.steps.find(({ id }) => id === step.id);
    const name = `start of ${step.id}`;
    if (run === undefined || record === undefined) {
      this.#problem(`${name}: not in the record`);
      return;
    }
    if (run.outcome !== null || run.stop !== null) this.#problem(`${name}: its run has ended or is stopped`);
    if (isDryRun || run.isDryRun) this.#problem(`${name}: in a dry run`);
    if (record.ended !== null) this.#problem(`${name}: it has finished`);
    if (this.#started.get(step.id) === term) this.#problem(`${name}: twice in one term`);
    const isRepeated = this.#started.has(step.id) || record.interruptions > 0;
    this.#started.set(step.id, term);
    this.#starts.push(nowMs);
    const lately = this.#starts.filter((atMs) => atMs > nowMs - 3_600_000).length;
    // What a dead server began is finished, not begun anew: it does not count twice.
    if (
      !isRepeated &&
      new Set(
        [...runs.values()]
          .filter((one) => !one.isDryRun)
          .flatMap(({ steps }) => steps)
          .filter((one) => one.action !== null && one.startedAtMs > nowMs - 3_600_000),
      ).size > ladder.guards.actionsPerHour
    )
      this.#problem(`${name}: number ${lately} within an hour`);
    for (const other of runs.values()) {
      for (const busy of other.steps) {
        if (busy.id === step.id || other.isDryRun || !this.#overlap(busy.target, step.target)) continue;
        if (this.#busyUntil(busy) > nowMs) this.#problem(`${name}: ${busy.id} acts or is quiet`);
      }
    }
    if (this.#isBlind()) this.#problem(`${name}: the monitor is blind`);
    if (this.#isPaused(step.target) || this.#isPaused(run.target)) this.#problem(`${name}: paused`);
    if (this.#needsHuman(step.target)) this.#problem(`${name}: people have to look first`);
    if (isRepeated) return;
    const begun = this.#levelIndex(run.level ?? "");
    const at = this.#levelIndex(step.level);
    if (at < begun) this.#problem(`${name}: more fundamental than the run`);
    for (const level of ladder.levels.slice(begun, at)) this.#levelIsDone(run, level.name, "a lighter level before");
    if (ladder.levels[begun]?.scope === "machine" && this.#isMassFailure()) this.#problem(`${name}: in a mass failure`);
    const spec = ladder.levels[at];
    if (spec === undefined) {
      this.#problem(`${name}: no such level`);
      return;
    }
    const approval = run.approvals.find(({ level }) => level === spec.name);
    const isApproved =
      approval?.decision?.isApproved === true ||
      (spec.approve?.otherwise === "run" && approval !== undefined && nowMs >= approval.expiresAtMs && approval.decision === null);
    if (spec.approve !== null && !isApproved) this.#problem(`${name}: nobody approved`);
    if (step.attempt > spec.attempts + spec.remedies.length) this.#problem(`${name}: more attempts than the level has`);
    if (
      run.steps.filter(({ action }) => action !== null).length === 1 &&
      !run.failed.some(({ check }) => this.#isFailing(states.get(check) as CheckState))
    )
      this.#problem(`${name}: what failed has mended itself`);
    if (kindOf(step.target) === "machine") this.#judgePool(step, name, environment.topology.pools);
  }

  #judgePool(step: StepOrder, name: string, pools: readonly { readonly name: string; readonly minHealthy: number }[]): void {
    const { runs, states, nowMs, ladder } = this.#world;
    const pool = this.#poolOf.get(step.target) ?? "";
    const machines = [...(this.#machinesOf.get(pool) ?? [])];
    // The record of the step itself is written already, and so may be those of others that start with it.
    const busy = new Set(
      [...runs.values()]
        .filter(({ isDryRun }) => !isDryRun)
        .flatMap(({ steps }) => steps)
        .filter((one) => this.#busyUntil(one) > nowMs && machines.includes(one.target))
        .map(({ target }) => target as string),
    );
    if (busy.size > Math.max(1, Math.floor(ladder.guards.atOnce * machines.length)))
      this.#problem(`${name}: ${busy.size} of ${machines.length} machines at once`);
    const of = (machine: string) => ["ping", "services"].flatMap((check) => states.get(`${check}@${machine}` as CheckState["id"]) ?? []);
    if (of(step.target).some(({ verdict }) => verdict === "failing")) return;
    const healthy = machines.filter((machine) => !busy.has(machine) && of(machine).every(({ verdict }) => verdict === "ok")).length;
    const least = pools.find((one) => `pool/${one.name}` === pool)?.minHealthy ?? 0;
    if (healthy < least) this.#problem(`${name}: leaves ${healthy} healthy of at least ${least}`);
  }
}
