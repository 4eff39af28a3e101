import type { MachineIdentity } from "#model/certificates.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import { Deadlines } from "../embedded/deadlines.ts";
import { defaultLimits } from "../embedded/limits.ts";
import { listenAlone } from "../embedded/listen-alone.ts";
import { MachineEntry } from "../embedded/machines/machine-entry.ts";
import type { ListenerProblem } from "../router.ts";

/**
 * The entry for other machines beside HAProxy, in the edge's own process and the same as the embedded router's: HAProxy would end a handshake before it
 * asks the instance, and a request that must not be repeated could not go to another one then.
 */
export class EntryBeside {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stop = new AbortController();
  #open: { readonly entry: MachineEntry; readonly sweeping: Promise<void> } | null = null;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Takes what is sent to this identity; null: nothing. */
  async apply(identity: MachineIdentity | null): Promise<void> {
    if (identity !== null) this.#open ??= this.#make();
    await this.#open?.entry.apply(identity);
  }

  problems(): readonly ListenerProblem[] {
    return this.#open?.entry.problems() ?? [];
  }

  /** Takes nothing new, and cuts what is not over within `withinMs`. */
  async close(withinMs: number): Promise<void> {
    if (this.#open === null) return this.#stop.abort();
    const { entry, sweeping } = this.#open;
    const isOver = new AbortController();
    const closed = entry.closeGently().finally(() => isOver.abort());
    await pause(this.#clock, withinMs, isOver.signal);
    entry.destroy();
    await closed;
    this.#stop.abort();
    await sweeping;
  }

  #make() {
    const deadlines = new Deadlines(this.#clock, defaultLimits.sweepMs);
    const context = { clock: this.#clock, deadlines, limits: defaultLimits, listen: listenAlone, log: this.#log };
    return { entry: new MachineEntry(context, this.#stop.signal), sweeping: deadlines.run(this.#stop.signal) };
  }
}
