import type { App, Release, ReleaseSpec } from "#model/app.ts";
import { appId } from "#model/names.ts";
import type { AheadNote } from "../controllers/reviews.ts";
import { keys, objects, put, read, remove, type Stored, unchanged } from "../objects/objects.ts";
import type { Change, Condition, Store } from "../store/store.ts";
import type { OperationContext } from "./context.ts";

/** Releases kept of each app, to go back to; the active and the wanted one are always kept. */
export const keptReleases = 20;

export interface NewRelease {
  /** The app with its new target. */
  readonly app: App;
  readonly conditions: readonly Condition[];
  readonly changes: readonly Change[];
}

/** The next release of `app`, as its new target: the newest deploy wins, so one that was on its way is superseded. */
export function newRelease(
  { store, newestRelease = () => 0 }: Pick<OperationContext, "store" | "newestRelease">,
  app: App,
  spec: ReleaseSpec,
  cause: string,
  nowMs: number,
): NewRelease {
  // What agents run that a restored store does not know has had its numbers.
  const ahead = read<AheadNote>(store, keys.ahead(app.space, app.name))?.value.release ?? 0;
  const number = Math.max(app.lastRelease, ahead, newestRelease(appId(app.space, app.name))) + 1;
  const release: Release = { number, space: app.space, app: app.name, spec, state: "pending", failure: null, createdAtMs: nowMs, cause };
  const releases = objects.releases(store, app.space, app.name);
  const conditions: Condition[] = [];
  const changes: Change[] = [put(keys.release(app.space, app.name, number), release)];
  const replaced = releases.find(({ value }) => value.number === app.target && value.state === "pending");
  if (replaced !== undefined) {
    const failure = {
      code: "RELEASE_FAILED" as const,
      reason: `replaced by release ${number} before it became ready`,
      lines: [],
      atMs: nowMs,
    };
    conditions.push(unchanged(replaced.key, replaced));
    changes.push(put(replaced.key, { ...replaced.value, state: "superseded", failure } satisfies Release));
  }
  for (const old of collectable(releases, app)) changes.push(remove(old.key));
  return { app: { ...app, target: number, lastRelease: number }, conditions, changes };
}

function collectable(releases: readonly Stored<Release>[], app: App): readonly Stored<Release>[] {
  return releases
    .slice(0, Math.max(0, releases.length + 1 - keptReleases))
    .filter(({ value: { number } }) => number !== app.active && number !== app.target);
}

/** The spec that is wanted now; null before the first release. */
export function targetSpec(store: Store, app: App): ReleaseSpec | null {
  return app.target === null ? null : (objects.release(store, app.space, app.name, app.target)?.value.spec ?? null);
}
