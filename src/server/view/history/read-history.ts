import type { FeedbackView, HealthHistory, Lane, TimelineView } from "#model/api-history.ts";
import type { DroverEvent } from "#model/app.ts";
import type { AppName, MachineId, SpaceName } from "#model/names.ts";
import type { EventLog, EventQuery } from "../../events/event-log.ts";
import { feedbackKinds, foldFeedback } from "./fold-feedback.ts";
import { appHealthKinds, foldHealth, machineHealthKinds } from "./fold-health.ts";
import { foldTimeline } from "./fold-timeline.ts";

/** Told often, and of no lane. */
const unlaned = [
  "instance.ready",
  "instance.gone",
  "instance.draining",
  "instance.not-ready",
  "workload.scaled",
  "workload.removed",
  "routes.changed",
];

/** Deploys of a month in a busy installation; some 30 ms of reading. Of more, the latest count. */
const mostFeedbackEvents = 10_000;
/** Changes of the health of one app or machine: of one that goes on and off all day the latest. */
const mostHealthEvents = 1_000;
/** What ended within the time may have begun so much earlier. */
const lookBackMs = 7 * 86_400_000;

export interface HistoryScope {
  readonly space?: SpaceName | undefined;
  readonly app?: AppName | undefined;
  /** Only these; null: all, and what is of none. */
  readonly spaces: readonly SpaceName[] | null;
}

export interface TimelineRequest extends HistoryScope {
  readonly sinceMs: number;
  readonly untilMs: number;
  /** Events before this one alone. */
  readonly before?: number | undefined;
  readonly lanes: ReadonlySet<Lane>;
  /** Events that are looked at. */
  readonly limit: number;
}

/**
 * What happened, side by side. Asked for a space or an app, it shows what happened to machines and edges too, where the caller may see that: causes
 * are found there.
 */
export function readTimeline(
  events: EventLog,
  { space, app, spaces, sinceMs, untilMs, before, lanes, limit }: TimelineRequest,
): TimelineView {
  const common: EventQuery = { notKinds: unlaned, sinceMs, untilMs, limit, ...(before === undefined ? {} : { before }) };
  const isAll = space === undefined && app === undefined;
  const read: DroverEvent[] = [
    ...events.query({
      ...common,
      ...(space === undefined ? {} : { space }),
      ...(app === undefined ? {} : { app }),
      ...(spaces === null ? {} : { spaces }),
    }),
    ...(isAll || spaces !== null ? [] : events.query({ ...common, space: null })),
  ];
  const latest = read.sort((a, b) => a.sequence - b.sequence).slice(-limit);
  const isCut = read.length >= limit;
  return {
    sinceMs,
    untilMs,
    lanes: foldTimeline(latest, lanes),
    older: isCut ? (latest[0]?.sequence ?? null) : null,
    keptSinceMs: events.oldestAtMs(),
  };
}

export function readFeedback(
  events: EventLog,
  { space, app, spaces, sinceMs, untilMs }: HistoryScope & { readonly sinceMs: number; readonly untilMs: number },
): FeedbackView {
  const read = events.query({
    kinds: feedbackKinds,
    sinceMs: sinceMs - lookBackMs,
    untilMs,
    limit: mostFeedbackEvents,
    ...(space === undefined ? {} : { space }),
    ...(app === undefined ? {} : { app }),
    ...(spaces === null ? {} : { spaces }),
  });
  return { sinceMs, untilMs, keptSinceMs: events.oldestAtMs(), ...foldFeedback(read, { sinceMs, untilMs }) };
}

export type HealthSubject = { readonly space: SpaceName; readonly app: AppName } | { readonly machine: MachineId };

/** How an app or a machine was over a time: what was told of it then, and last before. */
export function readHealth(
  events: EventLog,
  of: HealthSubject,
  { sinceMs, untilMs }: { readonly sinceMs: number; readonly untilMs: number },
): HealthHistory {
  const about: EventQuery =
    "machine" in of
      ? { space: null, subject: of.machine, kinds: machineHealthKinds }
      : { space: of.space, app: of.app, kinds: appHealthKinds };
  const told = events.query({ ...about, sinceMs, untilMs, limit: mostHealthEvents });
  const [before = null] = events.query({ ...about, untilMs: sinceMs, limit: 1 });
  // Of more than are read, the first says no more how it was before.
  const first = told.length === mostHealthEvents ? (told[0]?.atMs ?? sinceMs) : sinceMs;
  const folded = foldHealth(first === sinceMs ? before : null, told, { sinceMs: first, untilMs });
  return { sinceMs: first, untilMs, ...folded, keptSinceMs: events.oldestAtMs() };
}
