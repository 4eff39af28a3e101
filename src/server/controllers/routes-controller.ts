import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { AppId, MachineId, RouteId } from "#model/names.ts";
import type { Route } from "#model/routing-table.ts";
import type { Need } from "#plan/routes/needs.ts";
import type { EdgePeer } from "../fleet/peers.ts";
import { EdgeDoor } from "./edge-door.ts";
import { EdgeSync } from "./edge-sync.ts";
import type { Narrator } from "./narrator.ts";
import { NeededAddresses } from "./needed-addresses.ts";
import { type LostClaim, RouteTable } from "./route-table.ts";
import { WorkQueue } from "./work-queue.ts";

/** An app's part of the table; null for an app that does not exist. */
export interface Fragment {
  readonly routes: readonly Route[];
  readonly needs: readonly Need[];
  readonly appCreatedAtMs: number;
}

/**
 * How long an app's start waits for the addresses that it needs to be open at the edges: a round trip takes milliseconds, and an edge that does
 * not answer must not keep apps from running, which have to bear that what they need is away anyway.
 */
const addressesWithinMs = 1_000;

/** An edge starts within a second; a machine that is busy with much else takes longer. */
const restartWithinMs = 60_000;
const restartLookMs = 20;

export interface RoutesControllerOptions {
  readonly epoch: number;
  /** @param neededPorts service ports of the app that others need. */
  readonly fragmentOf: (app: AppId, neededPorts: ReadonlySet<number>) => Fragment | null;
  /** All apps that may have routes. */
  readonly apps: () => Iterable<AppId>;
  /** Apps of which edges keep the routes that they have, because nobody else knows them. */
  readonly keptBeside: () => ReadonlySet<AppId>;
  readonly narrator: Narrator;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** An edge confirmed a table or let go of something, linked or went. */
  readonly onEdges: () => void;
  /** Where other machines reach the machine; null where there are no others. */
  readonly addressOf: (machine: MachineId) => string | null;
  readonly onConflict: (app: AppId) => void;
  /** Whether the machine is to take what comes from outside. */
  readonly isEdge: (machine: MachineId) => boolean;
}

/**
 * Turns apps and what is ready of them into the routing table of the edges. Says nothing to any edge before it has heard from an agent once:
 * an edge's last table is better than one made from not knowing.
 */
export class RoutesController {
  readonly #options: RoutesControllerOptions;
  readonly #table = new RouteTable();
  readonly #edges = new Map<MachineId, { readonly peer: EdgePeer; readonly sync: EdgeSync; readonly door: EdgeDoor }>();
  readonly #leaving = new Set<EdgeSync>();
  readonly #queue: WorkQueue<AppId>;
  readonly #running = new Set<Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  readonly #needed = new NeededAddresses();
  /** Wait for an edge to confirm a table, or to go. */
  readonly #confirmations = new Set<AbortController>();
  readonly #signal: AbortSignal;
  #revision = 0;
  #isOpen = false;

  constructor(options: RoutesControllerOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    const work = async (app: AppId) => {
      this.#fold(app);
      return null;
    };
    this.#queue = new WorkQueue({ concurrency: 1, work, clock: options.clock }, signal);
  }

  /** Whoever may send anything to instances: edges, and those that another has replaced and that have something open yet. */
  get senders(): readonly EdgeSync[] {
    return [...this.edges, ...this.#leaving];
  }

  get edges(): readonly EdgeSync[] {
    return [...this.#edges.values()].map(({ sync }) => sync);
  }

  get peers(): readonly EdgePeer[] {
    return [...this.#edges.values()].filter(({ sync }) => sync.isLinked).map(({ peer }) => peer);
  }

  /** Whether the machine's edge takes what comes from outside, as it has said; null while it has not. */
  isPublic(machine: MachineId): boolean | null {
    return this.#edges.get(machine)?.door.isPublic ?? null;
  }

  /** Other machines may be to take what comes from outside. */
  placesChanged(): void {
    for (const { door } of this.#edges.values()) door.changed();
  }

  get routes(): RouteTable["routes"] {
    return this.#table.routes;
  }

  wanted(): ReturnType<RouteTable["wanted"]> {
    return this.#table.wanted();
  }

  lost(app: AppId): readonly LostClaim[] {
    return this.#table.lost(app);
  }

  /** An agent has reported everything: from now on the table is the truth. */
  open(): void {
    if (this.#isOpen) return;
    for (const app of this.#options.apps()) this.#fold(app);
    this.#isOpen = true;
    for (const start of this.#waiting.splice(0)) start();
  }

  /** Something of the app changed that its routes may depend on. */
  wake(app: AppId): void {
    if (!this.#isOpen) return;
    this.#queue.wake(app);
    for (const edge of this.edges) edge.appChanged(app);
  }

  /** Resolves once every linked edge has these routes, after a second at the latest; at once, without a turn of the event loop, if they do. */
  opened(ids: readonly RouteId[], signal: AbortSignal): Promise<void> | null {
    return this.#isOpenAt(ids) ? null : this.#confirmed(ids, signal);
  }

  #isOpenAt(ids: readonly RouteId[]): boolean {
    return this.edges.every((edge) => !edge.isLinked || ids.every((id) => edge.has(id)));
  }

  async #confirmed(ids: readonly RouteId[], signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const endMs = clock.monotonicMs() + addressesWithinMs;
    while (!this.#isOpenAt(ids)) {
      const leftMs = endMs - clock.monotonicMs();
      if (leftMs <= 0) {
        log.warn("service addresses not open in time at an edge", { routes: ids.join(", "), waited_ms: addressesWithinMs });
        return;
      }
      const confirmed = new AbortController();
      this.#confirmations.add(confirmed);
      await pause(clock, leftMs, AbortSignal.any([signal, confirmed.signal]));
      signal.throwIfAborted();
      this.#confirmations.delete(confirmed);
    }
  }

  #edgesChanged(): void {
    for (const confirmation of this.#confirmations) confirmation.abort();
    this.#options.onEdges();
  }

  /** Keeps this edge's table right until it is gone. A later link of the same machine takes its place. */
  link(peer: EdgePeer, draining: Iterable<Parameters<EdgeSync["isDone"]>[0]>): void {
    const { narrator, log } = this.#options;
    if (!peer.isLeaving) this.#edges.get(peer.machine)?.peer.close();
    const sync = new EdgeSync({
      ...this.#options,
      peer,
      routes: () => this.#table.routes,
      nextRevision: (seen) => (this.#revision = Math.max(this.#revision, seen) + 1),
      onProgress: () => this.#edgesChanged(),
      onSent: (set, removed, revision) => narrator.routes(set, removed, revision),
    });
    sync.expect(draining);
    const door = new EdgeDoor({
      ...this.#options,
      peer,
      isWanted: () => this.#options.isEdge(peer.machine),
      onChange: (isPublic) => narrator.edgeDoor(peer.machine, isPublic),
    });
    if (peer.isLeaving) this.#leaving.add(sync);
    else {
      this.#edges.set(peer.machine, { peer, sync, door });
      narrator.edge(peer.machine, true);
    }
    const run = async () => {
      try {
        await Promise.all([sync.run(this.#signal), peer.isLeaving ? null : door.run(this.#signal)]);
      } catch (error) {
        log.error("edge no longer kept right", { machine: peer.machine, ...errorFields(error) });
        peer.close();
      }
      this.#leaving.delete(sync);
      if (this.#signal.aborted) return;
      if (this.#edges.get(peer.machine)?.sync === sync) narrator.edge(peer.machine, false);
      else if (!peer.isLeaving) return;
      this.#edgesChanged();
    };
    const start = () => {
      const running = run();
      this.#running.add(running);
      void running.finally(() => this.#running.delete(running));
    };
    if (this.#isOpen) start();
    else this.#waiting.push(start);
    this.#options.onEdges();
  }

  /** The machine is lost: nobody waits for its edge any more. It goes on with its last table, and is told what is true when it is back. */
  edgeLost(machine: MachineId): void {
    if (this.#edges.get(machine)?.sync.isLinked !== false) return;
    this.#edges.delete(machine);
    this.#edgesChanged();
  }

  /**
   * Has the machine's edge hand over to another one. Resolves once that has the table.
   * @throws {DroverError} CLUSTER_UNREACHABLE if no edge of the machine is linked, TIMED_OUT, and what the edge refuses with
   */
  async restart(machine: MachineId, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const before = this.#edges.get(machine);
    if (before === undefined || !before.sync.isLinked)
      throw new DroverError("CLUSTER_UNREACHABLE", `no edge on "${machine}" is linked`, { hint: '"drover status" lists the edges.' });
    await before.peer.restart(signal);
    const endMs = clock.monotonicMs() + restartWithinMs;
    for (;;) {
      const now = this.#edges.get(machine);
      if (now !== before && now?.sync.revision !== null && now?.sync.isLinked) return;
      if (clock.monotonicMs() >= endMs)
        throw new DroverError("TIMED_OUT", `no other edge on "${machine}" has linked within ${restartWithinMs / 1_000} s`, {
          hint: 'The edge that was there goes on. "drover events" and the edge\'s log tell what became of the other one.',
        });
      await clock.sleep(restartLookMs, signal);
    }
  }

  async stopped(): Promise<void> {
    await this.#queue.stopped();
    await Promise.all(this.#running);
  }

  #fold(app: AppId): void {
    const fragment = this.#options.fragmentOf(app, this.#needed.portsOf(app));
    // Folding one again whose ports are needed by others now changes nothing of what it needs itself, so this ends.
    for (const other of this.#needed.set(app, fragment?.needs ?? [])) if (other !== app) this.#fold(other);
    const before = new Set(this.#table.lost(app).map(({ listener }) => listener));
    const changed = this.#table.set(app, fragment?.routes ?? [], fragment?.appCreatedAtMs ?? 0);
    const [space = "", name = ""] = app.split("/");
    for (const { listener, holder } of this.#table.lost(app)) {
      if (before.has(listener)) continue;
      this.#options.narrator.conflict(space, name, listener, holder);
      this.#options.onConflict(app);
    }
    if (changed.size > 0) for (const sync of this.senders) sync.change(changed);
  }
}
