import { failpoint } from "#host/failpoint.ts";
import { errorFields } from "#host/log.ts";
import type { Clock } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { InstanceId } from "#model/names.ts";
import type { ObservedInstance } from "#plan/rollout/input.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { Backoff } from "./backoff.ts";
import type { EdgeSync } from "./edge-sync.ts";
import { WorkQueue } from "./work-queue.ts";

/** Until then after its start, a server without edges takes it that they have not linked yet rather than that there are none. */
const edgesLinkWithinMs = 5_000;
/** When to look again after the agent was told, should its report stay out. */
const repeatMs = 2_000;
/** Calls to agents at once. */
const concurrency = 32;

export interface DrainerOptions {
  readonly fleet: Fleet;
  readonly edges: () => readonly EdgeSync[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** Tells agents which draining instances may stop: those that every edge has let go of, and those whose drain time is over. */
export class Drainer {
  readonly #options: DrainerOptions;
  readonly #queue: WorkQueue<InstanceId>;
  readonly #backoff: Backoff<InstanceId>;
  readonly #startedMs: number;
  /** When each was first seen draining, on the monotonic clock, and for how long it may. */
  readonly #draining = new Map<InstanceId, { readonly deadlineMs: number }>();

  constructor(options: DrainerOptions, signal: AbortSignal) {
    this.#options = options;
    this.#backoff = new Backoff(options.random);
    this.#startedMs = options.clock.monotonicMs();
    this.#queue = new WorkQueue({ concurrency, work: (id, until) => this.#pass(id, until), clock: options.clock }, signal);
  }

  get draining(): Iterable<InstanceId> {
    return this.#draining.keys();
  }

  stopped(): Promise<void> {
    return this.#queue.stopped();
  }

  observe(instance: ObservedInstance, drainMs: number): void {
    if (instance.state !== "draining") this.forget(instance.id);
    if (instance.state !== "draining" || this.#draining.has(instance.id)) return;
    this.#draining.set(instance.id, { deadlineMs: this.#options.clock.monotonicMs() + drainMs });
    this.#queue.wake(instance.id);
  }

  forget(id: InstanceId): void {
    if (this.#draining.delete(id)) this.#backoff.succeeded(id);
  }

  /** An edge confirmed a table, let go of something, linked or went. */
  edgesChanged(): void {
    for (const id of this.#draining.keys()) this.#queue.wake(id);
  }

  async #pass(id: InstanceId, signal: AbortSignal): Promise<number | null> {
    const { fleet, clock, log } = this.#options;
    const entry = this.#draining.get(id);
    const agent = fleet.agentOf(id);
    if (entry === undefined) return null;
    const nowMs = clock.monotonicMs();
    if (nowMs < entry.deadlineMs && !this.#isLetGo(id, nowMs)) return Math.min(entry.deadlineMs, nowMs + repeatMs);
    if (agent === null) return nowMs + repeatMs;
    try {
      failpoint("drained.before");
      await agent.drained(id, signal);
      failpoint("drained.after");
      return clock.monotonicMs() + repeatMs;
    } catch (error) {
      if (signal.aborted) return null;
      log.warn("agent not told that instance is drained", { instance: id, ...errorFields(error) });
      return clock.monotonicMs() + this.#backoff.failed(id);
    }
  }

  #isLetGo(id: InstanceId, nowMs: number): boolean {
    const edges = this.#options.edges();
    if (edges.length === 0) return nowMs >= this.#startedMs + edgesLinkWithinMs;
    return edges.every((edge) => edge.isDone(id));
  }
}
