import type { Clock } from "../../src/model/clock.ts";
import { DroverError } from "../../src/model/errors.ts";
import type { InstanceId, RouteId } from "../../src/model/names.ts";
import type { Draining, Route, RoutingPatch, RoutingTable, TargetTraffic } from "../../src/model/routing-table.ts";

/** An edge in memory: keeps its table over links, as a real one does over restarts, and reports instances that left it. */
export class SimulatedEdge {
  readonly #clock: Clock;
  readonly #openMs: () => number;
  readonly routes = new Map<RouteId, Route>();
  readonly #queue: Draining[] = [];
  #wake: (() => void) | null = null;
  #epoch = 0;
  #revision = 0;
  /** Refused by whoever looks: an older table came after a newer one. */
  stale = 0;
  traffic: readonly TargetTraffic[] = [];

  /** @param openMs how long requests in flight keep an instance that left the table. */
  constructor(clock: Clock, openMs: () => number) {
    this.#clock = clock;
    this.#openMs = openMs;
  }

  get revision(): { readonly epoch: number; readonly revision: number } {
    return { epoch: this.#epoch, revision: this.#revision };
  }

  instances(): ReadonlySet<InstanceId> {
    return new Set(
      [...this.routes.values()].flatMap((route) => route.targets.flatMap((target) => target.endpoints.map((one) => one.instance))),
    );
  }

  putTable(table: RoutingTable): void {
    if (table.epoch < this.#epoch || (table.epoch === this.#epoch && table.revision <= this.#revision)) {
      this.stale++;
      throw new DroverError("ORDER_OUTDATED", "the table is older than the one in force");
    }
    this.#replace(table.epoch, table.revision, table.routes, [...this.routes.keys()]);
  }

  patchTable(patch: RoutingPatch): void {
    if (patch.epoch !== this.#epoch || patch.from !== this.#revision) throw new DroverError("CONFLICT", "the patch is for another table");
    this.#replace(patch.epoch, patch.revision, patch.set, patch.remove);
  }

  async *draining(signal: AbortSignal): AsyncGenerator<Draining, void, void> {
    while (!signal.aborted) {
      const next = this.#queue.shift();
      if (next !== undefined) yield next;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
    }
  }

  #replace(epoch: number, revision: number, set: readonly Route[], remove: readonly RouteId[]): void {
    const before = this.instances();
    for (const id of remove) this.routes.delete(id);
    for (const route of set) this.routes.set(route.id, route);
    this.#epoch = epoch;
    this.#revision = revision;
    const after = this.instances();
    for (const instance of before) if (!after.has(instance)) void this.#drain(instance);
  }

  async #drain(instance: InstanceId): Promise<void> {
    const openMs = this.#openMs();
    if (openMs > 0) {
      this.#report({ instance, open: 1 });
      await this.#clock.sleep(openMs, new AbortController().signal);
    }
    if (!this.instances().has(instance)) this.#report({ instance, open: 0 });
  }

  #report(draining: Draining): void {
    this.#queue.push(draining);
    this.#wake?.();
  }
}
