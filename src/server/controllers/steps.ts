import type { App, Release, ReleaseFailure, Rollout } from "#model/app.ts";
import type { Step } from "#plan/rollout/input.ts";
import { keys, put, remove, type Stored, unchanged } from "../objects/objects.ts";
import type { Change, Transaction } from "../store/store.ts";

/** How many of the newest releases are kept to go back to, besides the active one and the target. */
const releasesKept = 10;

export interface AppObjects {
  readonly app: Stored<App>;
  readonly releases: ReadonlyMap<number, Stored<Release>>;
  readonly rollout: Stored<Rollout> | null;
}

/**
 * The one commit that makes a step durable. It holds only if nobody wrote the app, its rollout or a release in question since they were read:
 * a newer deploy wins by having written the app.
 * @param failure of a step that fails a release.
 */
export function transactionFor(step: Step, { app, releases, rollout }: AppObjects, failure: ReleaseFailure | null): Transaction {
  const { space, name } = app.value;
  const rolloutKey = keys.rollout(space, name);
  const conditions = [unchanged(app.key, app), unchanged(rolloutKey, rollout)];
  const changes: Change[] = [];
  const setRelease = (number: number, next: Partial<Release>) => {
    const release = releases.get(number);
    if (release === undefined) return;
    conditions.push(unchanged(release.key, release));
    changes.push(put(release.key, { ...release.value, ...next }));
  };
  const endRollout = () => {
    if (rollout !== null) changes.push(remove(rolloutKey));
  };
  switch (step.kind) {
    case "begin":
      for (const number of step.supersede) setRelease(number, { state: "superseded" });
      changes.push(put(rolloutKey, step.rollout));
      break;
    case "advance":
      changes.push(put(rolloutKey, step.rollout));
      break;
    case "activate":
      changes.push(put(app.key, { ...app.value, active: step.release }));
      setRelease(step.release, { state: "active", failure: null });
      for (const number of step.supersede) setRelease(number, { state: "superseded" });
      endRollout();
      for (const release of collectable(app.value, releases, step.release)) {
        if (!step.supersede.includes(release.value.number)) changes.push(remove(release.key));
      }
      break;
    case "fail":
      setRelease(step.release, { state: "failed", failure: releases.get(step.release)?.value.failure ?? failure });
      if (step.fallBackTo !== null) {
        changes.push(put(app.key, { ...app.value, target: step.fallBackTo }));
        endRollout();
      }
      break;
    case "end":
      endRollout();
      break;
    case "forget": {
      const { recreate, ...next } = app.value;
      changes.push(recreate === true ? put(app.key, { ...next, destroying: false } satisfies App) : remove(app.key));
      for (const [number, { key }] of releases) if (recreate !== true || number !== app.value.target) changes.push(remove(key));
      endRollout();
      break;
    }
    default:
      step satisfies never;
  }
  return { conditions, changes };
}

/** Releases that are too old to be kept, and are neither the active one nor the target. */
function collectable(app: App, releases: ReadonlyMap<number, Stored<Release>>, active: number): readonly Stored<Release>[] {
  const newestFirst = [...releases.values()].sort((a, b) => b.value.number - a.value.number);
  return newestFirst.slice(releasesKept).filter(({ value }) => value.number !== active && value.number !== app.target);
}
