import { errorFields } from "#host/log.ts";
import type { CheckResult } from "#model/check.ts";
import type { CheckOrder, ScheduledCheck } from "#model/check-orders.ts";
import { type Clock, pause } from "#model/clock.ts";
import { type DroverError, fromErrorBody } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { CheckId, MachineId, SpaceName } from "#model/names.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import { split } from "./server-probe.ts";

/** How often it is looked which agents are linked. */
const lookMs = 500;
/** Wait before an agent that broke off is asked again. */
const againMs = 1_000;

export interface AgentProbesOptions {
  readonly fleet: Fleet;
  readonly edge: CheckOrder["edge"];
  readonly edgeHosts: () => readonly string[];
  readonly clock: Clock;
  readonly steadyNowMs: () => number;
  readonly log: Log;
  readonly onResult: (space: SpaceName, result: CheckResult) => void;
  readonly onImpossible: (space: SpaceName, check: CheckId, error: DroverError | null) => void;
  /** Other machines are there than before. */
  readonly onMachines: () => void;
}

/** Gives agents the checks that are made from them, and hears what they find. */
export class AgentProbes {
  readonly #options: AgentProbesOptions;
  readonly #signal: AbortSignal;
  readonly #spaces = new Map<SpaceName, readonly ScheduledCheck[]>();
  /** Which order each agent has, by its link. */
  readonly #given = new Map<AgentPeer, { order: string; readonly listening: Promise<void> }>();
  readonly #running: Promise<void>;
  #machines = "";

  constructor(options: AgentProbesOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    // In a later turn: whoever makes it is not ready to be called back yet.
    this.#running = Promise.resolve().then(() => this.#run());
  }

  set(space: SpaceName, checks: readonly ScheduledCheck[]): void {
    if (checks.length === 0) this.#spaces.delete(space);
    else this.#spaces.set(space, checks);
  }

  get machines(): readonly MachineId[] {
    return this.#options.fleet.machines().map(({ id }) => id);
  }

  async stopped(): Promise<void> {
    await this.#running;
    await Promise.all([...this.#given.values()].map(({ listening }) => listening));
  }

  async #run(): Promise<void> {
    const { clock, fleet, log, onMachines } = this.#options;
    while (!this.#signal.aborted) {
      const machines = this.machines.join();
      if (machines !== this.#machines) {
        this.#machines = machines;
        onMachines();
      }
      for (const peer of this.#given.keys()) if (peer.gone.aborted) this.#given.delete(peer);
      for (const { peer, isKnown } of fleet.machines()) {
        if (peer === null || !isKnown || (this.#spaces.size === 0 && !this.#given.has(peer))) continue;
        try {
          await this.#give(peer);
        } catch (error) {
          if (!this.#signal.aborted && !peer.gone.aborted)
            log.warn("checks were not given to an agent", { machine: peer.machine, ...errorFields(error) });
        }
      }
      await pause(clock, lookMs, this.#signal);
    }
  }

  async #give(peer: AgentPeer): Promise<void> {
    const { edge, edgeHosts } = this.#options;
    const checks = [...this.#spaces].flatMap(([space, own]) => own.map((check) => ({ ...check, id: `${space} ${check.id}` as CheckId })));
    const hosts = new Set(edgeHosts());
    const called = checks.flatMap(({ test }) => (test.kind === "http" ? [URL.parse(test.url)?.hostname ?? ""] : []));
    const order: CheckOrder = { checks, edge, edgeHosts: [...new Set(called.filter((host) => hosts.has(host)))] };
    const text = JSON.stringify(order);
    const known = this.#given.get(peer);
    if (known?.order === text) return;
    await peer.putChecks(order, AbortSignal.any([this.#signal, peer.gone]));
    if (known === undefined) this.#given.set(peer, { order: text, listening: this.#listen(peer) });
    else known.order = text;
  }

  async #listen(peer: AgentPeer): Promise<void> {
    const { clock, steadyNowMs, log, onResult, onImpossible } = this.#options;
    const signal = AbortSignal.any([this.#signal, peer.gone]);
    while (!signal.aborted) {
      try {
        for await (const report of peer.checkReports(signal)) {
          if (report.kind === "result") {
            const { check, ...found } = report.result;
            // Stamped here, because results of several probes are compared and machines' clocks differ.
            onResult(...split(check, (own): CheckResult => ({ ...found, check: own, probe: peer.machine, atMs: steadyNowMs() })));
          } else {
            const [space, check] = split(report.check, (own) => own);
            onImpossible(space, check, report.why === null ? null : fromErrorBody(report.why));
          }
        }
      } catch (error) {
        if (signal.aborted) return;
        log.warn("results of checks broke off", { machine: peer.machine, ...errorFields(error) });
      }
      await pause(clock, againMs, signal);
    }
  }
}
