import type { App, Release } from "#model/app.ts";
import { type AppId, appId } from "#model/names.ts";
import type { ObservedWorkload } from "../rollout/input.ts";

/** A service address that an app calls. */
export interface Need {
  readonly app: AppId;
  readonly port: number;
}

export interface NeedsInput {
  readonly app: App;
  /** The releases that are kept, by number. */
  readonly releases: ReadonlyMap<number, Release>;
  readonly observed: readonly Pick<ObservedWorkload, "release">[];
}

/**
 * The service addresses that have to be open for this app: those of the release that serves, of the one that is wanted, and of every one that
 * still runs, each once. A stopped app keeps them, because it can be started at any moment; one that is being destroyed only while it runs.
 */
export function planNeeds({ app, releases, observed }: NeedsInput): readonly Need[] {
  const wanted = app.destroying ? [] : [app.active, app.target];
  const numbers = new Set([...wanted, ...observed.map(({ release }) => release)]);
  const needs = new Map<string, Need>();
  for (const number of numbers) {
    const release = number === null ? undefined : releases.get(number);
    for (const [name, { port }] of Object.entries(release?.spec.needs ?? {})) {
      const id = appId(app.space, name as App["name"]);
      needs.set(`${id} ${port}`, { app: id, port });
    }
  }
  return [...needs.values()];
}
