import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { MachineId } from "#model/names.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { KnownMachine } from "../fleet/known.ts";
import { listMembers, setLost } from "../members/members.ts";
import type { Store } from "../store/store.ts";

/** How long machines that link one after another, as thousands do when a server starts, may put off the loss of those that have not yet. */
const mostFirstLinksMs = 35_000;

export interface LostMachinesOptions {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly clock: Clock;
  /** A machine of which nothing was heard for so long is lost: what it ran is started on others. Machines dial again within 2 s. */
  readonly lostAfterMs: number;
  readonly log: Log;
  /** The machine is lost: what its instances were is free to be started elsewhere. */
  readonly onLost: (machine: MachineId, instances: number) => void;
}

/**
 * Decides which machines are lost. That is written down, because it is a decision: a server that starts meanwhile must neither wait for what was given
 * up nor give up what only has not linked yet: those that were there have the same time as any to be heard of, from its start or from when the last of the
 * others came. The machine beside the server is never lost: what it runs, runs as long as there is a server.
 */
export class LostMachines {
  readonly #options: LostMachinesOptions;
  readonly #signal: AbortSignal;
  readonly #waits = new Map<MachineId, AbortController>();
  readonly #running = new Set<Promise<void>>();
  readonly #startedMs: number;
  /** Until when those have time that have not linked since the start, on the monotonic clock. */
  #firstDueMs: number;

  constructor(options: LostMachinesOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#startedMs = options.clock.monotonicMs();
    this.#firstDueMs = this.#startedMs + options.lostAfterMs;
    for (const { name, lostAtMs } of listMembers(options.store)) {
      if (lostAtMs !== undefined) continue;
      options.fleet.await(name);
      this.#giveUpAt(name, () => this.#firstDueMs);
    }
  }

  /** The machine linked and told everything, or its link was lost. */
  changed({ id, peer, isKnown, isRemote, silentMs }: KnownMachine): void {
    const { clock, lostAfterMs } = this.#options;
    const nowMs = clock.monotonicMs();
    if (peer === null && isRemote && !this.#waits.has(id)) {
      const dueMs = nowMs + lostAfterMs - silentMs;
      this.#giveUpAt(id, () => dueMs);
    }
    if (!isKnown) return;
    this.#firstDueMs = Math.max(this.#firstDueMs, Math.min(this.#startedMs + mostFirstLinksMs, nowMs + lostAfterMs));
    this.#waits.get(id)?.abort();
    this.#own(this.#note(id, false));
  }

  async stopped(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** @param dueMs on the monotonic clock; it may rise meanwhile */
  #giveUpAt(machine: MachineId, dueMs: () => number): void {
    const back = new AbortController();
    this.#waits.set(machine, back);
    const wait = async () => {
      const { clock } = this.#options;
      const until = AbortSignal.any([back.signal, this.#signal]);
      for (let leftMs = 0; !until.aborted && (leftMs = dueMs() - clock.monotonicMs()) > 0; ) await pause(clock, leftMs, until);
      if (this.#waits.get(machine) === back) this.#waits.delete(machine);
      if (back.signal.aborted || this.#signal.aborted) return;
      const { fleet, log, onLost } = this.#options;
      log.warn("machine lost", { machine });
      await this.#note(machine, true);
      if (fleet.agentOn(machine) !== null) return;
      const instances = fleet.instancesOn(machine);
      fleet.giveUp(machine);
      onLost(machine, instances);
    };
    this.#own(wait());
  }

  async #note(machine: MachineId, isLost: boolean): Promise<void> {
    const { store, clock, log } = this.#options;
    try {
      await setLost(store, machine, isLost ? clock.nowMs() : null);
    } catch (error) {
      // The next server then waits a little longer for it, or a little shorter.
      log.warn("loss of machine not noted", { machine, ...errorFields(error) });
    }
  }

  #own(work: Promise<void>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }
}
