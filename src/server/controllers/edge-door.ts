import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { EdgePeer } from "../fleet/peers.ts";
import { Backoff } from "./backoff.ts";

export interface EdgeDoorOptions {
  readonly peer: Pick<EdgePeer, "machine" | "gone" | "setDoor">;
  /** Whether its machine is to take what comes from outside, at this moment. */
  readonly isWanted: () => boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** The edge has opened its ports, or closed them; not told of what it was when it linked. */
  readonly onChange: (isPublic: boolean) => void;
}

/** Keeps the public ports of one edge as they are wanted: said when it links, and whenever that changes. */
export class EdgeDoor {
  readonly #options: EdgeDoorOptions;
  #isPublic: boolean | null = null;
  #said: boolean | null = null;
  #changed = new AbortController();

  constructor(options: EdgeDoorOptions) {
    this.#options = options;
  }

  /** As the edge has confirmed it; null while it has not. */
  get isPublic(): boolean | null {
    return this.#isPublic;
  }

  /** It may be wanted otherwise now. */
  changed(): void {
    this.#changed.abort();
  }

  async run(parent: AbortSignal): Promise<void> {
    const { peer, isWanted, clock, random, log, onChange } = this.#options;
    const signal = AbortSignal.any([parent, peer.gone]);
    const backoff = new Backoff<"edge">(random);
    while (!signal.aborted) {
      this.#changed = new AbortController();
      const wanted = isWanted();
      let waitMs = Number.POSITIVE_INFINITY;
      try {
        if (wanted !== this.#said) {
          const before = this.#isPublic;
          this.#isPublic = await peer.setDoor(wanted, signal);
          this.#said = wanted;
          backoff.succeeded("edge");
          if (this.#isPublic !== wanted)
            log.warn("an older edge does not close its ports; restart Drover there", { machine: peer.machine });
          else if (before !== null) onChange(wanted);
        }
      } catch (error) {
        if (signal.aborted) return;
        log.warn("public ports are not as they should be", { machine: peer.machine, is_wanted: wanted, ...errorFields(error) });
        waitMs = backoff.failed("edge");
      }
      await untilChange(clock, waitMs, AbortSignal.any([signal, this.#changed.signal]));
    }
  }
}

function untilChange(clock: Clock, waitMs: number, signal: AbortSignal): Promise<void> {
  if (waitMs !== Number.POSITIVE_INFINITY) return pause(clock, waitMs, signal);
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
