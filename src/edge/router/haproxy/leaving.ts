import type { Clock } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { InstanceId } from "#model/names.ts";
import type { Draining } from "#model/routing-table.ts";
import { OpenCounts } from "../open-counts.ts";
import type { Accounts } from "./accounts.ts";
import type { InstanceChange } from "./desired-routes.ts";
import { growing } from "./drain-look.ts";
import type { Processes } from "./processes.ts";

/** Up to so many backends are asked one by one, beyond all at once. */
const fewBackends = 20;
/** With nothing to watch; whatever comes up wakes the watch anyway. */
const restMs = 60_000;

export interface LeavingOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly processes: Processes;
  readonly accounts: Accounts;
  /** Whether HAProxy is being told of something: its servers are left alone meanwhile. */
  readonly isPassing: () => boolean;
  /** The router closes. */
  readonly signal: AbortSignal;
}

/** What is on its way out: instances that left the table and have something open, their servers in HAProxy, and processes that were replaced. */
export class Leaving {
  readonly #options: LeavingOptions;
  readonly #drains = new OpenCounts();
  /** Instances that left the table and have, or may have, something open: where they were. */
  readonly #left = new Map<InstanceId, readonly string[]>();
  /** What was last told of them. */
  readonly #counted = new Map<InstanceId, number>();
  #wake: (() => void) | null = null;

  constructor(options: LeavingOptions) {
    this.#options = options;
  }

  draining(signal: AbortSignal): AsyncIterable<Draining> {
    return this.#drains.read(signal);
  }

  /** Instances are in the table, whether or not they left it before. */
  cameBack(present: InstanceChange["present"]): void {
    for (const instance of present) {
      this.#drains.forget(instance);
      this.#left.delete(instance);
      this.#counted.delete(instance);
    }
  }

  /** HAProxy has been told that instances have left. */
  async take(left: ReadonlyMap<InstanceId, readonly string[]>): Promise<void> {
    for (const [instance, addresses] of left) this.#left.set(instance, addresses);
    await this.#count();
    this.wake();
  }

  /** There may be something to watch. */
  wake(): void {
    this.#wake?.();
  }

  /** Looks again and again until the router closes. */
  async watch(): Promise<void> {
    const { log, processes, signal } = this.#options;
    let waits = growing();
    while (!signal.aborted) {
      let isBusy = false;
      try {
        await this.#count();
        isBusy = (await this.#dropServers()) || this.#left.size > 0;
        await processes.endIdle();
      } catch (error) {
        log.debug("HAProxy could not be asked", { error: String(error) });
      }
      const woken = new AbortController();
      this.#wake = () => {
        waits = growing();
        woken.abort();
      };
      const waitMs = waits.next().value;
      await this.#rest(isBusy || processes.hasOld ? waitMs : restMs, woken.signal);
    }
  }

  /** Sleeps until there may be news, or the router closes. */
  async #rest(ms: number, woken: AbortSignal): Promise<void> {
    const either = AbortSignal.any([woken, this.#options.signal]);
    try {
      await this.#options.clock.sleep(ms, either);
    } catch (error) {
      if (!either.aborted) throw error;
    }
  }

  async #count(): Promise<void> {
    if (this.#left.size === 0) return;
    const open = await this.#openByAddress();
    for (const [instance, addresses] of this.#left) {
      const count = new Set(addresses).values().reduce((sum, address) => sum + (open.get(address) ?? 0), 0);
      if (this.#counted.get(instance) !== count) this.#drains.tell(instance, count);
      this.#counted.set(instance, count);
      if (count > 0) continue;
      this.#left.delete(instance);
      this.#counted.delete(instance);
    }
  }

  async #openByAddress(): Promise<ReadonlyMap<string, number>> {
    const { processes, log } = this.#options;
    const open = new Map<string, number>();
    for (const worker of processes.all) {
      const leaving = new Set(worker.leaving().map(({ backend }) => backend));
      try {
        const isTold = worker === processes.serving && leaving.size <= fewBackends;
        for (const backend of isTold ? leaving : [null])
          for (const { address, current, server } of await worker.stats(backend))
            if (server !== "BACKEND") open.set(address, (open.get(address) ?? 0) + current);
      } catch (error) {
        // A process that has ended has nothing open.
        log.debug("a HAProxy that was asked for its connections ended", { pid: worker.process.pid, error: String(error) });
      }
    }
    return open;
  }

  /** Whether there are more to come. */
  async #dropServers(): Promise<boolean> {
    const { processes, accounts, isPassing } = this.#options;
    const { serving } = processes;
    if (serving === null || isPassing()) return true;
    const leaving = serving.leaving();
    for (const backend of new Set(leaving.map(({ backend }) => backend))) await processes.count(serving, backend);
    for (const { backend, server } of leaving) if (!isPassing() && (await serving.drop(backend, server))) accounts.forget(server);
    return serving.leaving().length > 0;
  }
}
