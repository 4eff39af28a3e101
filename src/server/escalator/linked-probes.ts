import type { Finding } from "#checks/finding.ts";
import { errorFields } from "#host/log.ts";
import type { CheckResult } from "#model/check.ts";
import type { CheckOrder, ScheduledCheck } from "#model/check-orders.ts";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError, fromErrorBody } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { CheckId, MachineId, SpaceName } from "#model/names.ts";
import type { RoutesController } from "../controllers/routes-controller.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { ProbePeer } from "../fleet/peers.ts";
import { split } from "./server-probe.ts";

/** How often it is looked which agents and edges are linked. */
const lookMs = 500;
/** Wait before one that broke off is asked again. */
const againMs = 1_000;

type Role = "agent" | "edge";

/** What each of a space's checks is made by, of those that are made over a link. */
export type LinkedChecks = Readonly<Record<Role, readonly ScheduledCheck[]>>;

export interface LinkedProbesOptions {
  readonly fleet: Fleet;
  readonly routes: Pick<RoutesController, "edges" | "peers">;
  /** Where the edge's hosts are called by what runs on this machine. */
  readonly edgeFor: (machine: MachineId) => CheckOrder["edge"];
  readonly edgeHosts: () => readonly string[];
  readonly clock: Clock;
  readonly steadyNowMs: () => number;
  readonly log: Log;
  readonly onResult: (space: SpaceName, result: CheckResult) => void;
  readonly onImpossible: (space: SpaceName, check: CheckId, error: DroverError | null) => void;
  /** Other machines or edges are there than before. */
  readonly onProbes: () => void;
}

interface Prober {
  readonly role: Role;
  /** As it stands in results. */
  readonly name: string;
  readonly machine: MachineId;
  readonly peer: ProbePeer;
}

/** Gives agents and edges the checks that are made from them, and hears what they find. */
export class LinkedProbes {
  readonly #options: LinkedProbesOptions;
  readonly #signal: AbortSignal;
  readonly #spaces = new Map<SpaceName, LinkedChecks>();
  /** Which order each of them has, by its link. */
  readonly #given = new Map<ProbePeer, { order: string; readonly listening: Promise<void> }>();
  readonly #running: Promise<void>;
  #probes = "";

  constructor(options: LinkedProbesOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    // In a later turn: whoever makes it is not ready to be called back yet.
    this.#running = Promise.resolve().then(() => this.#run());
  }

  set(space: SpaceName, checks: LinkedChecks): void {
    if (checks.agent.length === 0 && checks.edge.length === 0) this.#spaces.delete(space);
    else this.#spaces.set(space, checks);
  }

  /** Whoever makes checks of this role, linked or not: one that is gone is silent, and that counts. */
  names(role: Role): readonly string[] {
    const { fleet, routes } = this.#options;
    return role === "agent" ? fleet.machines().map(({ id }) => id) : routes.edges.map(({ machine }) => edgeName(machine));
  }

  /** One attempt now by each that makes the check and is linked, by its name. */
  once(space: SpaceName, check: CheckId, withinMs: number, signal: AbortSignal): readonly (readonly [string, Promise<Finding | null>])[] {
    const checks = this.#spaces.get(space);
    return this.#probers()
      .filter(({ role }) => checks?.[role].some(({ id }) => id === check))
      .map(({ name, peer }) => [name, peer.runCheck(`${space} ${check}` as CheckId, withinMs, AbortSignal.any([signal, peer.gone]))]);
  }

  async stopped(): Promise<void> {
    await this.#running;
    await Promise.all([...this.#given.values()].map(({ listening }) => listening));
  }

  async #run(): Promise<void> {
    const { clock, log, onProbes } = this.#options;
    while (!this.#signal.aborted) {
      const probes = [...this.names("agent"), ...this.names("edge")].join();
      if (probes !== this.#probes) {
        this.#probes = probes;
        onProbes();
      }
      for (const peer of this.#given.keys()) if (peer.gone.aborted) this.#given.delete(peer);
      for (const prober of this.#probers()) {
        const { peer, name } = prober;
        if (this.#spaces.size === 0 && !this.#given.has(peer)) continue;
        try {
          await this.#give(prober);
        } catch (error) {
          if (!this.#signal.aborted && !peer.gone.aborted) log.warn("checks were not given", { probe: name, ...errorFields(error) });
        }
      }
      await pause(clock, lookMs, this.#signal);
    }
  }

  /** Those that can be asked now. */
  #probers(): readonly Prober[] {
    const { fleet, routes } = this.#options;
    const agents = fleet
      .machines()
      .flatMap(({ peer, isKnown }): readonly Prober[] =>
        peer === null || !isKnown ? [] : [{ role: "agent", name: peer.machine, machine: peer.machine, peer }],
      );
    return [
      ...agents,
      ...routes.peers.map((peer): Prober => ({ role: "edge", name: edgeName(peer.machine), machine: peer.machine, peer })),
    ];
  }

  async #give(prober: Prober): Promise<void> {
    const { peer, role } = prober;
    const { edgeFor, edgeHosts } = this.#options;
    const checks = [...this.#spaces].flatMap(([space, own]) =>
      own[role].map((check) => ({ ...check, id: `${space} ${check.id}` as CheckId })),
    );
    const hosts = new Set(edgeHosts());
    const called = checks.flatMap(({ test }) => (test.kind === "http" ? [URL.parse(test.url)?.hostname ?? ""] : []));
    const order: CheckOrder = { checks, edge: edgeFor(prober.machine), edgeHosts: [...new Set(called.filter((host) => hosts.has(host)))] };
    const text = JSON.stringify(order);
    const known = this.#given.get(peer);
    if (known === undefined ? checks.length === 0 : known.order === text) return;
    try {
      await peer.putChecks(order, AbortSignal.any([this.#signal, peer.gone]));
    } catch (error) {
      if (!(error instanceof DroverError && error.code === "ROUTE_UNKNOWN")) throw error;
      // An edge of before edges made checks: it is silent until it is restarted, and asking again would not change that.
      this.#options.log.warn("an older program makes no checks; restart it", { probe: prober.name });
      this.#given.set(peer, { order: text, listening: Promise.resolve() });
      return;
    }
    if (known === undefined) this.#given.set(peer, { order: text, listening: this.#listen(prober) });
    else known.order = text;
  }

  async #listen({ peer, name }: Prober): Promise<void> {
    const { clock, steadyNowMs, log, onResult, onImpossible } = this.#options;
    const signal = AbortSignal.any([this.#signal, peer.gone]);
    while (!signal.aborted) {
      try {
        for await (const report of peer.checkReports(signal)) {
          if (report.kind === "result") {
            const { check, ...found } = report.result;
            // Stamped here, because results of several probes are compared and machines' clocks differ.
            const atMs = steadyNowMs() - (report.ageMs ?? 0);
            onResult(...split(check, (own): CheckResult => ({ ...found, check: own, probe: name, atMs })));
          } else {
            const [space, check] = split(report.check, (own) => own);
            onImpossible(space, check, report.why === null ? null : fromErrorBody(report.why));
          }
        }
      } catch (error) {
        if (signal.aborted) return;
        log.warn("results of checks broke off", { probe: name, ...errorFields(error) });
      }
      await pause(clock, againMs, signal);
    }
  }
}

/** An edge as a place from which checks are made; the agent of its machine has the machine's name. */
function edgeName(machine: string): string {
  return `edge@${machine}`;
}
