import { setImmediate as nextTurn } from "node:timers/promises";
import type { AppId } from "#model/names.ts";
import { Wakeup } from "#model/wakeup.ts";

/** Hears of changed apps from when it was made until it is closed. Holds each id at most once, so it is bounded by the number of apps. */
export class Follower {
  readonly #only: AppId | null;
  readonly #leave: (follower: Follower) => void;
  #changed = new Set<AppId>();
  readonly #wakeup = new Wakeup();

  constructor(only: AppId | null, leave: (follower: Follower) => void) {
    this.#only = only;
    this.#leave = leave;
  }

  changed(app: AppId): void {
    if (this.#only !== null && app !== this.#only) return;
    this.#changed.add(app);
    this.#wakeup.wake();
  }

  /** Ids of what changed since the last call, as soon as there are any; empty when the signal aborts. */
  async next(signal: AbortSignal): Promise<ReadonlySet<AppId>> {
    if (this.#changed.size === 0 && !signal.aborted) {
      await this.#wakeup.wait(signal);
      // What changes together arrives together.
      await nextTurn();
    }
    const batch = this.#changed;
    this.#changed = new Set();
    return batch;
  }

  close(): void {
    this.#leave(this);
  }
}

/** Tells whoever follows which apps changed. */
export class Subscribers {
  readonly #followers = new Set<Follower>();

  changed(app: AppId): void {
    for (const follower of this.#followers) follower.changed(app);
  }

  /** @param only the one app to hear of; null, all. Whoever follows, closes. */
  follow(only: AppId | null): Follower {
    const follower = new Follower(only, (gone) => this.#followers.delete(gone));
    this.#followers.add(follower);
    return follower;
  }
}
