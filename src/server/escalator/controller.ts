import { failpoint } from "#host/failpoint.ts";
import { errorFields } from "#host/log.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Escalation } from "#model/ladder.ts";
import type { Log } from "#model/log.ts";
import type { SpaceName } from "#model/names.ts";
import { nameOf, scopeOf } from "#model/target.ts";
import type { LadderAction, LadderInput, LadderPlan, StepOrder } from "#plan/ladder/input.ts";
import { planLadder } from "#plan/ladder/plan-ladder.ts";
import { describeReason, type Reason } from "#plan/ladder/reasons.ts";
import { Backoff } from "../controllers/backoff.ts";
import type { EventLog } from "../events/event-log.ts";
import { ladderKeys, ladderObjects, noSwitches } from "../objects/ladder-objects.ts";
import { put, remove, type Stored, unchanged } from "../objects/objects.ts";
import type { Change, Condition, Store } from "../store/store.ts";
import type { Leadership } from "./leadership.ts";
import type { SpaceScene } from "./space-scene.ts";
import type { StepExecutor } from "./step-executor.ts";

/** Plans that one pass carries out before others get their turn. */
const plansInOnePass = 50;
/** What ended longer ago than this is history, and no part of a decision. */
const rememberedMs = 24 * 3_600_000;
/** Ended runs that are kept to be read, of each space. */
const keptRuns = 500;

export interface ControllerOptions {
  readonly store: Store;
  readonly lead: Leadership;
  readonly events: EventLog;
  readonly executor: StepExecutor;
  /** The scene of a space, up to date; null when nothing of it is checked. */
  readonly sceneOf: (space: SpaceName) => SpaceScene | null;
  readonly isNetworkUp: () => boolean;
  /** What goes with the record of a notice, so that people are told of it once. */
  readonly telling: (
    space: SpaceName,
    notice: { readonly key: string; readonly text: string; readonly sinceMs: number },
  ) => readonly Change[];
  readonly clock: Clock;
  readonly steadyNowMs: () => number;
  readonly random: () => number;
  readonly log: Log;
}

/** Takes the escalations of one space at a time as far as they go: reads everything, asks the planner, writes what it says, and starts its steps. */
export class EscalationController {
  readonly #options: ControllerOptions;
  readonly #backoff: Backoff<SpaceName>;
  readonly #waiting = new Map<SpaceName, LadderPlan["waiting"]>();

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.random);
  }

  /** What the last pass over a space found that it waits for. */
  waiting(space: SpaceName): LadderPlan["waiting"] {
    return this.#waiting.get(space) ?? [];
  }

  /** One pass. Resolves with the monotonic time of the next one, if nothing happens before; never rejects. */
  async pass(space: SpaceName, signal: AbortSignal): Promise<number | null> {
    const { clock, log, steadyNowMs, lead } = this.#options;
    try {
      if (!lead.holds()) return null;
      const nextAtMs = await this.#pass(space, signal);
      this.#backoff.succeeded(space);
      return nextAtMs === null ? null : clock.monotonicMs() + Math.max(0, nextAtMs - steadyNowMs());
    } catch (error) {
      if (signal.aborted) return null;
      log[error instanceof DroverError ? "warn" : "error"]("pass over escalations failed", { space, ...errorFields(error) });
      return clock.monotonicMs() + this.#backoff.failed(space);
    }
  }

  async #pass(space: SpaceName, signal: AbortSignal): Promise<number | null> {
    const scene = this.#options.sceneOf(space);
    if (scene === null) {
      this.#waiting.delete(space);
      return null;
    }
    for (let taken = 0; !signal.aborted; taken++) {
      const nowMs = this.#options.steadyNowMs();
      const stored = this.#runs(space, nowMs);
      const open = stored.filter(({ value }) => value.outcome === null);
      const warmAtMs = scene.warmAtMs(open.flatMap(({ value }) => value.failed.map(({ check }) => check)));
      if (warmAtMs !== null && nowMs < warmAtMs) return warmAtMs;
      const plan = planLadder(this.#input(space, scene, stored, nowMs));
      this.#waiting.set(space, plan.waiting);
      if (plan.actions.length === 0) return plan.replanAtMs;
      if (taken === plansInOnePass) return nowMs;
      await this.#carryOut(space, plan.actions, new Map(stored.map((run) => [run.value.id, run])));
    }
    return null;
  }

  /** What the planner sees of a space at this moment; null when nothing of it is checked. */
  inputOf(space: SpaceName): LadderInput | null {
    const scene = this.#options.sceneOf(space);
    const nowMs = this.#options.steadyNowMs();
    return scene === null ? null : this.#input(space, scene, this.#runs(space, nowMs), nowMs);
  }

  #runs(space: SpaceName, nowMs: number): readonly Stored<Escalation>[] {
    return ladderObjects.escalations(this.#options.store, space).filter(({ value: { outcome } }) => {
      if (outcome === null || (outcome.kind === "people" && outcome.acknowledged === null)) return true;
      return outcome.atMs + rememberedMs > nowMs;
    });
  }

  #input(space: SpaceName, scene: SpaceScene, stored: readonly Stored<Escalation>[], nowMs: number): LadderInput {
    const { store, lead, isNetworkUp } = this.#options;
    const { isDryRun, massAcknowledgedAtMs } = ladderObjects.switches(store, space)?.value ?? noSwitches;
    return {
      index: scene.index,
      states: scene.book.states,
      silent: scene.silent(nowMs),
      monitor: { probes: scene.book.probes, freshMs: scene.freshMs, isNetworkUp: isNetworkUp() },
      escalations: stored.map(({ value }) => value),
      pauses: ladderObjects.pauses(store, space).map(({ value }) => value),
      notices: ladderObjects.notices(store, space).map(({ value }) => value),
      massAcknowledgedAtMs,
      isDryRun,
      term: lead.term,
      nowMs,
    };
  }

  /** Everything that is written is one commit, on the condition that nobody wrote any of it meanwhile; then the steps. */
  async #carryOut(space: SpaceName, actions: readonly LadderAction[], runs: ReadonlyMap<string, Stored<Escalation>>): Promise<void> {
    const { store, lead, telling, executor } = this.#options;
    const conditions: Condition[] = [lead.condition];
    const changes: Change[] = [];
    const saved = new Map<string, Escalation>();
    const told: { readonly run: Escalation; readonly reason: Reason }[] = [];
    for (const action of actions) {
      if (action.kind === "save") {
        saved.set(action.escalation.id, action.escalation);
        told.push({ run: action.escalation, reason: action.reason });
      } else if (action.kind === "tell") {
        changes.push(put(ladderKeys.notice(space, action.notice.key), action.notice), ...telling(space, action.notice));
      } else if (action.kind === "clear") changes.push(remove(ladderKeys.notice(space, action.key)));
    }
    for (const [id, run] of saved) {
      const key = ladderKeys.escalation(space, run.id);
      conditions.push(unchanged(key, runs.get(id) ?? null));
      changes.push(put(key, run));
    }
    changes.push(...this.#outdated(space, saved));
    if (changes.length > 0) {
      try {
        failpoint("escalation.save.before");
        await store.commit({ conditions, changes });
        failpoint("escalation.save.after");
      } catch (error) {
        // A person or an ended step wrote first: the next plan knows of it.
        if (error instanceof DroverError && error.code === "CONFLICT") return;
        throw error;
      }
    }
    for (const { run, reason } of told) this.#narrate(space, run, reason);
    for (const action of actions) {
      if (action.kind === "start") executor.start(space, action.step);
      else if (action.kind === "kill") {
        const run = saved.get(action.escalation) ?? runs.get(action.escalation)?.value;
        const order = run === undefined ? null : this.#orderOf(run, action.step);
        if (order !== null) executor.kill(space, action.step, action.reason.kind === "overdue" ? "timed-out" : "killed", order);
      }
    }
    failpoint("escalation.started");
  }

  #orderOf(run: Escalation, id: StepOrder["id"]): StepOrder | null {
    const step = run.steps.find((one) => one.id === id);
    if (step === undefined || step.action === null) return null;
    const { level, target, action, attempt, term } = step;
    return { id, escalation: run.id, level, target, action, attempt, term, timeoutMs: 0 };
  }

  /** The oldest of what ended, when there is more than is kept. */
  #outdated(space: SpaceName, saved: ReadonlyMap<string, Escalation>): readonly Change[] {
    const ended = ladderObjects
      .escalations(this.#options.store, space)
      .filter(
        ({ value: { id, outcome } }) => outcome !== null && !saved.has(id) && !(outcome.kind === "people" && outcome.acknowledged === null),
      );
    if (ended.length <= keptRuns) return [];
    return ended
      .toSorted((a, b) => a.value.openedAtMs - b.value.openedAtMs)
      .slice(0, ended.length - keptRuns)
      .map(({ key }) => remove(key));
  }

  #narrate(space: SpaceName, run: Escalation, reason: Reason): void {
    const app = scopeOf(run.target) === "app" ? { app: nameOf(run.target) } : {};
    const prefix = run.isDryRun ? "(dry run) " : "";
    const kind = `escalation.${run.outcome === null ? reason.kind : run.outcome.kind}`;
    this.#options.events.append({ space, ...app, subject: run.id, kind, message: `${prefix}${run.target}: ${describeReason(reason)}` });
  }
}
