import type { Clock } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import { type Digest, type InstanceId, newInstanceId, type WorkloadId } from "#model/names.ts";
import type { Reason } from "#model/workload.ts";
import type { Background } from "../../background.ts";
import type { ChangeFeed } from "./change-feed.ts";
import { newHeldInstance } from "./held-instance.ts";
import { type HeldWorkload, toDesired, toStatus } from "./held-workload.ts";
import type { InstanceLife } from "./instance-life.ts";
import type { Leases } from "./leases.ts";
import { type InstanceAction, planInstances } from "./plan-instances.ts";

/** How often a workload whose artifact was not here is looked at again, besides when one arrives. */
const blockedAgainMs = 2_000;

export interface WorkloadPlansOptions {
  readonly workloads: ReadonlyMap<WorkloadId, HeldWorkload>;
  readonly life: InstanceLife;
  readonly feed: ChangeFeed;
  readonly leases: Leases;
  readonly background: Background;
  /** The unpacked artifact, or null if it is not here. */
  readonly artifactFolder: (digest: Digest) => Promise<string | null>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Nothing is started or stopped by plan any more. */
  readonly isFrozen: () => boolean;
  readonly closing: AbortSignal;
}

/** Asks the planner about each workload that something changed of, and does what it says. */
export class WorkloadPlans {
  readonly #options: WorkloadPlansOptions;
  readonly #dirty = new Set<WorkloadId>();

  constructor(options: WorkloadPlansOptions) {
    this.#options = options;
  }

  /** Has the workload planned once this turn is over, however often it is woken until then. */
  wake(id: WorkloadId): void {
    if (this.#dirty.size === 0) {
      queueMicrotask(() => {
        const ids = [...this.#dirty];
        this.#dirty.clear();
        for (const dirty of ids) this.#options.background.goOn("workload not planned", () => this.#plan(dirty));
      });
    }
    this.#dirty.add(id);
  }

  async #plan(id: WorkloadId): Promise<void> {
    const workload = this.#options.workloads.get(id);
    if (workload === undefined || this.#options.isFrozen()) return;
    await this.#findObstacle(workload);
    if (this.#options.isFrozen() || this.#options.workloads.get(id) !== workload) return;
    const nowMs = this.#options.clock.monotonicMs();
    const leaseEndsAtMs = this.#options.leases.endsAtMs(id, workload.order);
    const plan = planInstances(toDesired(workload, leaseEndsAtMs), [...workload.instances.values()], nowMs);
    for (const action of plan.actions) this.#act(workload, action);
    const again = [plan.replanAtMs, workload.reason === null ? null : nowMs + blockedAgainMs].filter((at) => at !== null);
    this.#planAgainAt(workload, again.length === 0 ? null : Math.min(...again));
  }

  #planAgainAt(workload: HeldWorkload, atMs: number | null): void {
    const { clock } = this.#options;
    workload.timer?.abort();
    workload.timer = null;
    if (atMs === null) return;
    const timer = new AbortController();
    workload.timer = timer;
    const waitMs = Math.max(0, atMs - clock.monotonicMs());
    clock.sleep(waitMs, AbortSignal.any([timer.signal, this.#options.closing])).then(
      () => this.wake(workload.id),
      // Replaced by a later plan's wait, or closed.
      () => {},
    );
  }

  /** An artifact that is not on this machine, or the want of a lease. */
  async #findObstacle(workload: HeldWorkload): Promise<void> {
    const digest = workload.order?.artifact ?? null;
    const missing = digest !== null && (await this.#options.artifactFolder(digest)) === null;
    const isCovered = workload.order === null || workload.removed || this.#options.leases.covers(workload.order);
    const reason: Reason | null = missing
      ? { code: "ARTIFACT_MISSING", message: `the artifact ${digest} is not on this machine yet` }
      : isCovered
        ? null
        : { code: "LEASE_OVER", message: "it must never run twice, and the server has not said that it may run here" };
    if (reason?.message === workload.reason?.message) return;
    workload.reason = reason;
    if (workload.order !== null) this.#options.feed.publish({ kind: "workload", workload: toStatus(workload, workload.order) });
  }

  #act(workload: HeldWorkload, action: InstanceAction): void {
    const { clock, log, life } = this.#options;
    const held = "id" in action ? workload.instances.get(action.id) : undefined;
    switch (action.kind) {
      case "create": {
        if (workload.order === null) return;
        const id = this.#newId(workload);
        const { restartToken } = workload.order;
        const made = newHeldInstance({ id, workload: workload.id, restartToken, nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() });
        workload.instances.set(id, made);
        life.start(made, workload.order);
        return;
      }
      case "start":
        if (held !== undefined && workload.order !== null) life.start(held, workload.order);
        return;
      case "reload":
        log.info("program replaced", { instance: action.id, reason: action.reason });
        if (held !== undefined && workload.order !== null) life.reload(held, workload.order);
        return;
      case "drain":
        log.info("instance drains", { instance: action.id, reason: action.reason });
        if (held !== undefined) life.drain(held, action.afterwards);
        return;
      case "signal": {
        log.info("instance stops", { instance: action.id, reason: action.reason });
        const code = action.reason === "timed out" ? "TIMED_OUT" : "STOPPING";
        const message =
          action.reason === "timed out" ? `ran longer than its ${workload.order?.timeoutMs ?? 0} ms` : `is being stopped: ${action.reason}`;
        if (held !== undefined) life.stop(held, action.afterwards, workload.stop.signal, { code, message });
        return;
      }
      case "kill":
        log.info("instance killed", { instance: action.id, reason: action.reason });
        if (held !== undefined) life.kill(held);
        return;
      case "forget":
        if (held === undefined) return;
        workload.instances.delete(held.id);
        this.#options.feed.publish({ kind: "instance-gone", id: held.id });
        this.wake(workload.id);
        this.#options.background.goOn("instance not removed", () => life.forget(held));
        return;
      case "forget-workload":
        this.#forgetWorkload(workload);
        return;
      default:
        action satisfies never;
    }
  }

  /** Its order stays on disk as a removal for a while, so that a late order does not bring it back. */
  #forgetWorkload(workload: HeldWorkload): void {
    if (workload.order !== null) this.#options.feed.publish({ kind: "workload-gone", id: workload.id });
    this.#options.leases.forget(workload.id);
    workload.order = null;
    this.#planAgainAt(workload, null);
  }

  #newId(workload: HeldWorkload): InstanceId {
    for (;;) {
      const id = newInstanceId(workload.id, this.#options.random);
      if (!workload.instances.has(id)) return id;
    }
  }
}
