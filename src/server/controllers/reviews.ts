import { DroverError } from "#model/errors.ts";
import type { AppId, AppName, SpaceName } from "#model/names.ts";
import { isStepsApp } from "#model/steps.ts";
import { type Ahead, describeAhead, findAhead } from "#plan/rollout/ahead.ts";
import type { EventSink } from "../events/event-log.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { keys, objects, put, read, type Stored, unchanged } from "../objects/objects.ts";
import type { LostRevisions } from "../store/lost-revisions.ts";
import type { Store } from "../store/store.ts";

/** What the store keeps of an app that was ahead of it. */
export interface AheadNote {
  /** The newest release that was seen: the app's next one comes after it. */
  readonly release: number;
  /** Of which restore people have said that its state holds: where its revisions begin. Null: of none. */
  readonly discarded: number | null;
}

export interface Review extends Ahead {
  readonly space: SpaceName;
  readonly app: AppName;
}

/**
 * Apps of which agents have orders that the store has lost, since a backup took its place. Nothing is ordered of them until people decide: by saying that
 * the restored state holds, or by changing the app, whose order is then the newest.
 */
export class Reviews {
  readonly #store: Store;
  readonly #fleet: Fleet;
  readonly #lost: readonly LostRevisions[];

  constructor({ store, fleet, lost }: { readonly store: Store; readonly fleet: Fleet; readonly lost: readonly LostRevisions[] }) {
    this.#store = store;
    this.#fleet = fleet;
    this.#lost = lost;
  }

  /** Null: nothing of the app waits for a decision. */
  of(id: AppId): Ahead | null {
    const last = this.#lost.at(-1);
    if (last === undefined) return null;
    const [space, name] = id.split("/") as [SpaceName, AppName];
    const app = objects.app(this.#store, space, name);
    const isDecided = (app !== null && app.modRevision > last.through) || this.#note(space, name)?.value.discarded === last.through;
    if (isDecided) return null;
    const workloads = this.#fleet.workloads(id).map(({ name: { process, release }, kind, count, revision, instances }) => ({
      process,
      release,
      kind,
      count,
      revision,
      instances: [...instances.values()],
    }));
    return findAhead(app?.value ?? null, workloads, (revision) =>
      this.#lost.some(({ after, through }) => revision > after && revision <= through),
    );
  }

  all(): readonly Review[] {
    if (this.#lost.length === 0) return [];
    return this.#fleet
      .apps()
      .filter((id) => !isStepsApp(id))
      .sort()
      .flatMap((id) => {
        const ahead = this.of(id);
        const [space, app] = id.split("/") as [SpaceName, AppName];
        return ahead === null ? [] : [{ space, app, ...ahead }];
      });
  }

  /** Those that the store does not have: what edges know of them is all that is left of their routes. */
  unknown(): ReadonlySet<AppId> {
    return new Set(this.all().flatMap(({ space, app, knows }) => (knows === null ? [`${space}/${app}` as AppId] : [])));
  }

  /**
   * The newest release of the app that any agent tells of, so that its number is not used for another.
   * @throws {DroverError} CLUSTER_UNREACHABLE while agents have not told yet, and nobody has decided about the app since a restore that could compare nothing
   */
  newestRelease(id: AppId): number {
    const last = this.#lost.at(-1);
    if (last === undefined) return 0;
    const [space, name] = id.split("/") as [SpaceName, AppName];
    if (!this.#fleet.isKnown && (objects.app(this.#store, space, name)?.modRevision ?? 0) <= last.through)
      throw new DroverError("CLUSTER_UNREACHABLE", `agents have not told yet what they run of "${name}", since a backup was restored`, {
        hint: "Try again in a few seconds.",
      });
    return Math.max(0, ...this.#fleet.workloads(id).map(({ name: { release } }) => release));
  }

  /** Notes what was seen, so that no release of the app ever means two things. @returns whether it was news */
  async note(id: AppId, { runs }: Ahead): Promise<boolean> {
    const [space, name] = id.split("/") as [SpaceName, AppName];
    const noted = this.#note(space, name);
    const release = Math.max(...runs.map((one) => one.release));
    if (noted !== null && noted.value.release >= release) return false;
    const note: AheadNote = { release, discarded: noted?.value.discarded ?? null };
    const key = keys.ahead(space, name);
    await this.#store.commit({ conditions: [unchanged(key, noted)], changes: [put(key, note)] });
    return true;
  }

  /** The restored state holds for these apps, for all of them or none: what it does not know ends, as after any other change. */
  async discard(reviews: readonly Review[], events: EventSink): Promise<void> {
    const notes = reviews.map(({ space, app, runs }) => {
      const noted = this.#note(space, app);
      const release = Math.max(noted?.value.release ?? 0, ...runs.map((one) => one.release));
      const note: AheadNote = { release, discarded: this.#lost.at(-1)?.through ?? null };
      return { key: keys.ahead(space, app), noted, note };
    });
    await this.#store.commit({
      conditions: notes.map(({ key, noted }) => unchanged(key, noted)),
      changes: notes.map(({ key, note }) => put(key, note)),
    });
    for (const review of reviews)
      events.append({
        kind: "restore.discarded",
        space: review.space,
        app: review.app,
        message: `the restored state holds for "${review.app}", which ${describeAhead(review)}`,
      });
  }

  #note(space: SpaceName, app: AppName): Stored<AheadNote> | null {
    return read<AheadNote>(this.#store, keys.ahead(space, app));
  }
}
