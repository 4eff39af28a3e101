import type { AppId } from "#model/names.ts";

/** Hears of changed apps from when it was made until it is closed. Holds each id at most once, so it is bounded by the number of apps. */
export class Follower {
  readonly #only: AppId | null;
  readonly #leave: (follower: Follower) => void;
  #changed = new Set<AppId>();
  #wake: (() => void) | null = null;

  constructor(only: AppId | null, leave: (follower: Follower) => void) {
    this.#only = only;
    this.#leave = leave;
  }

  changed(app: AppId): void {
    if (this.#only !== null && app !== this.#only) return;
    this.#changed.add(app);
    this.#wake?.();
  }

  /** Ids of what changed since the last call, as soon as there are any; empty when the signal aborts. */
  async next(signal: AbortSignal): Promise<ReadonlySet<AppId>> {
    if (this.#changed.size === 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#wake = null;
          signal.removeEventListener("abort", wake);
          // One turn later, so that what changes together arrives together.
          setImmediate(resolve);
        };
        this.#wake = wake;
        signal.addEventListener("abort", wake, { once: true });
      });
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
