import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { MachineId } from "#model/names.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { KnownMachine } from "../fleet/known.ts";
import { listMembers, setLost } from "../members/members.ts";
import type { Store } from "../store/store.ts";

/** A machine of which nothing was heard for so long is lost: what it ran is started on others. */
const lostAfterMs = 5_000;
/** After its own start a server gives machines as long to link as they wait between two attempts, and a little more. */
const firstLinkMs = 35_000;

export interface LostMachinesOptions {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly log: Log;
  /** The machine is lost: what its instances were is free to be started elsewhere. */
  readonly onLost: (machine: MachineId, instances: number) => void;
}

/**
 * Decides which machines are lost. That is written down, because it is a decision: a server that starts meanwhile must neither wait for what was given
 * up nor give up what only has not linked yet. The machine beside the server is never lost: what it runs, runs as long as there is a server.
 */
export class LostMachines {
  readonly #options: LostMachinesOptions;
  readonly #signal: AbortSignal;
  readonly #waits = new Map<MachineId, AbortController>();
  readonly #running = new Set<Promise<void>>();

  constructor(options: LostMachinesOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    for (const { name, lostAtMs } of listMembers(options.store)) {
      if (lostAtMs !== undefined) continue;
      options.fleet.await(name);
      this.#giveUpAfter(name, firstLinkMs);
    }
  }

  /** The machine linked and told everything, or its link was lost. */
  changed({ id, peer, isKnown, isRemote, silentMs }: KnownMachine): void {
    if (peer === null && isRemote && !this.#waits.has(id)) this.#giveUpAfter(id, Math.max(0, lostAfterMs - silentMs));
    if (!isKnown) return;
    this.#waits.get(id)?.abort();
    this.#own(this.#note(id, false));
  }

  async stopped(): Promise<void> {
    await Promise.all(this.#running);
  }

  #giveUpAfter(machine: MachineId, ms: number): void {
    const back = new AbortController();
    this.#waits.set(machine, back);
    const wait = async () => {
      await pause(this.#options.clock, ms, AbortSignal.any([back.signal, this.#signal]));
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
