import type { AppStatus } from "#model/api.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { AppId, AppName, SpaceName } from "#model/names.ts";
import type { EventLog } from "../events/event-log.ts";
import type { Subscribers } from "./subscribers.ts";

/** What lasts for less, such as the moment between two changes of one pass, is nothing to be told of. */
const gapMs = 250;

/**
 * - `well`: all wanted instances are ready.
 * - `degraded`: some are not, and each process has one that is.
 * - `failing`: some process has none.
 * - `idle`: nobody wants it to run.
 */
type Condition = "well" | "degraded" | "failing" | "idle";

const kinds = { well: "app.well", degraded: "app.degraded", failing: "app.failing", idle: "app.idle" } as const satisfies Record<
  Condition,
  string
>;

export interface HealthWatchOptions {
  readonly events: EventLog;
  readonly subscribers: Subscribers;
  readonly clock: Clock;
  /** Whether enough is known of the machines to judge by. */
  readonly isKnown: () => boolean;
  /** Null: on its way from one condition to another, so what it was still holds; undefined: there is no such app. */
  readonly conditionOf: (space: SpaceName, app: AppName) => Condition | null | undefined;
  readonly reasonsOf: (space: SpaceName, app: AppName) => AppStatus["reasons"];
}

/** Tells as events when apps become failing, degraded and well again: the history of their health. What the log says last is where it begins after a restart. */
export class HealthWatch {
  readonly #options: HealthWatchOptions;
  readonly #last = new Map<AppId, { readonly condition: Condition; readonly sinceMs: number } | null>();

  constructor(options: HealthWatchOptions) {
    this.#options = options;
  }

  /** Resolves once the signal has aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { subscribers, clock, isKnown } = this.#options;
    const follower = subscribers.follow(null);
    const pending = new Set<AppId>();
    try {
      while (!signal.aborted) {
        for (const app of await follower.next(signal)) pending.add(app);
        if (isKnown()) {
          // First for all of them: asked for one, the log writes down what it was told of the one before.
          for (const app of pending) if (!this.#last.has(app)) this.#last.set(app, this.#told(app));
          for (const app of pending) this.#look(app);
          pending.clear();
        }
        await pause(clock, gapMs, signal);
      }
    } finally {
      follower.close();
    }
  }

  #look(id: AppId): void {
    const { events, clock, conditionOf, reasonsOf } = this.#options;
    const [space, app] = id.split("/") as [SpaceName, AppName];
    const condition = conditionOf(space, app);
    if (condition === undefined) this.#last.delete(id);
    if (condition === undefined || condition === null) return;
    const before = this.#last.get(id) ?? null;
    if (before?.condition === condition) return;
    this.#last.set(id, { condition, sinceMs: clock.nowMs() });
    // An app that was stopped when it was made, or that never served, was nothing before.
    if (before === null && condition !== "well") return;
    const [first] = condition === "well" || condition === "idle" ? [] : reasonsOf(space, app);
    const wasBad = before?.condition === "failing" || before?.condition === "degraded";
    events.append({
      space,
      app,
      kind: kinds[condition],
      message: `${words(app, condition, before?.condition ?? null)}${first === undefined ? "" : `: ${first.message}`}`,
      details: {
        from: before?.condition ?? null,
        ...(first === undefined ? {} : { code: first.code }),
        ...(wasBad ? { sinceMs: before.sinceMs } : {}),
      },
    });
  }

  #told(id: AppId): { readonly condition: Condition; readonly sinceMs: number } | null {
    const [space, app] = id.split("/") as [SpaceName, AppName];
    const [last] = this.#options.events.query({ space, app, kinds: Object.values(kinds), limit: 1 });
    const condition = (Object.keys(kinds) as Condition[]).find((one) => kinds[one] === last?.kind);
    return last === undefined || condition === undefined ? null : { condition, sinceMs: last.atMs };
  }
}

function words(app: AppName, condition: Condition, before: Condition | null): string {
  switch (condition) {
    case "well":
      return before === "failing" || before === "degraded" ? `${app} is well again` : `${app} is well`;
    case "degraded":
      return `${app} is degraded`;
    case "failing":
      return `${app} is failing`;
    case "idle":
      return `${app} is not to run`;
    default:
      return condition satisfies never;
  }
}
