import type { AppId } from "#model/names.ts";
import type { Need } from "#plan/routes/needs.ts";

const none: ReadonlySet<number> = new Set();

/** Which service ports of each app others need; kept by who needs them, so that one change costs what changed. */
export class NeededAddresses {
  readonly #needs = new Map<AppId, readonly Need[]>();
  /** How many apps need a port of an app. */
  readonly #counts = new Map<AppId, Map<number, number>>();

  /** Replaces what `app` needs. @returns the apps of which another set of ports is needed now. */
  set(app: AppId, needs: readonly Need[]): ReadonlySet<AppId> {
    const changed = new Set<AppId>();
    // New ones first: a port that is needed before and after is never without anybody who needs it.
    for (const need of needs) if (this.#add(need, 1) === 1) changed.add(need.app);
    for (const need of this.#needs.get(app) ?? []) if (this.#add(need, -1) === 0) changed.add(need.app);
    if (needs.length === 0) this.#needs.delete(app);
    else this.#needs.set(app, needs);
    return changed;
  }

  portsOf(app: AppId): ReadonlySet<number> {
    const counts = this.#counts.get(app);
    return counts === undefined ? none : new Set(counts.keys());
  }

  #add({ app, port }: Need, by: 1 | -1): number {
    const counts = this.#counts.get(app) ?? new Map<number, number>();
    const count = (counts.get(port) ?? 0) + by;
    if (count > 0) counts.set(port, count);
    else counts.delete(port);
    if (counts.size > 0) this.#counts.set(app, counts);
    else this.#counts.delete(app);
    return count;
  }
}
