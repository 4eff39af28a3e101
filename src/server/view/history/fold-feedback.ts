import type { Feedback, FeedbackView } from "#model/api-history.ts";
import type { DroverEvent } from "#model/app.ts";

/** What the figures are made of. */
export const feedbackKinds: readonly string[] = [
  "app.created",
  "release.created",
  "env.changed",
  "release.rollback",
  "release.active",
  "release.failed",
  "app.failing",
  "app.well",
  "app.idle",
  "app.destroyed",
];

/** By which a person or a program changes what an app is; going back and starting afresh bring nothing new. */
const changeKinds: ReadonlySet<string> = new Set(["app.created", "release.created", "env.changed"]);

const dayMs = 86_400_000;

interface Samples {
  readonly leadsMs: number[];
  readonly restoresMs: number[];
  changes: number;
  failed: number;
  failingSinceMs: number | null;
}

interface Change {
  readonly createdAtMs: number;
  end: "active" | "failed" | null;
  isCounted: boolean;
}

/**
 * How fast and how safely apps change, and how soon they are well again: the figures of `docs/guides/deploys.md`, from events alone. Pure.
 * @param events in their order; some time from before `sinceMs` may be among them, for what began there
 */
export function foldFeedback(
  events: readonly DroverEvent[],
  { sinceMs, untilMs }: { readonly sinceMs: number; readonly untilMs: number },
): Pick<FeedbackView, "all" | "apps"> {
  const days = Math.max(1, (untilMs - sinceMs) / dayMs);
  const samples: Samples[] = [];
  const apps: FeedbackView["apps"] = [];
  for (const own of Map.groupBy(events, ({ space, app }) => `${space}/${app}`).values()) {
    const [first] = own;
    if (first?.space == null || first.app == null) continue;
    const sample = sampleOf(own, sinceMs, untilMs);
    samples.push(sample);
    apps.push({ space: first.space, app: first.app, ...figures(sample, days), failingSinceMs: sample.failingSinceMs });
  }
  apps.sort((a, b) => (`${a.space}/${a.app}` < `${b.space}/${b.app}` ? -1 : 1));
  const all: Samples = {
    leadsMs: samples.flatMap(({ leadsMs }) => leadsMs),
    restoresMs: samples.flatMap(({ restoresMs }) => restoresMs),
    changes: samples.reduce((sum, { changes }) => sum + changes, 0),
    failed: samples.reduce((sum, { failed }) => sum + failed, 0),
    failingSinceMs: null,
  };
  return { all: figures(all, days), apps };
}

function sampleOf(events: readonly DroverEvent[], sinceMs: number, untilMs: number): Samples {
  const sample: Samples = { leadsMs: [], restoresMs: [], changes: 0, failed: 0, failingSinceMs: null };
  let changes = new Map<string, Change>();
  for (const { kind, subject, atMs, details } of events) {
    const isInside = atMs >= sinceMs && atMs < untilMs;
    const change = subject === null ? undefined : changes.get(subject);
    if (subject !== null && changeKinds.has(kind)) changes.set(subject, { createdAtMs: atMs, end: null, isCounted: false });
    else if (kind === "release.active" || kind === "release.failed") {
      // An older release that is active again after a failure has its end already.
      if (change === undefined || change.end !== null) continue;
      change.end = kind === "release.active" ? "active" : "failed";
      change.isCounted = isInside;
      if (!isInside) continue;
      sample.changes++;
      if (change.end === "failed") sample.failed++;
      else sample.leadsMs.push(atMs - change.createdAtMs);
    } else if (kind === "release.rollback") {
      const from = changes.get(String((details as { readonly from?: unknown } | null)?.from));
      if (from === undefined || from.end !== "active" || !from.isCounted || !isInside) continue;
      from.end = "failed";
      sample.failed++;
    } else if (kind === "app.failing") sample.failingSinceMs ??= atMs;
    else if (kind === "app.well") {
      if (sample.failingSinceMs !== null && isInside) sample.restoresMs.push(atMs - sample.failingSinceMs);
      sample.failingSinceMs = null;
    } else if (kind === "app.idle") sample.failingSinceMs = null;
    else if (kind === "app.destroyed") {
      sample.failingSinceMs = null;
      // Numbers begin anew with the next app of the name.
      changes = new Map();
    }
  }
  return sample;
}

function figures({ leadsMs, restoresMs, changes, failed }: Samples, days: number): Omit<Feedback, "failingSinceMs"> {
  return {
    changes,
    failed,
    failureRate: changes === 0 ? null : failed / changes,
    perDay: changes / days,
    leadTimeMs: spreadOf(leadsMs),
    restores: restoresMs.length,
    restoreMs: spreadOf(restoresMs),
  };
}

function spreadOf(samples: readonly number[]): { readonly median: number; readonly p90: number } | null {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1];
  const median = at(0.5);
  const p90 = at(0.9);
  return median === undefined || p90 === undefined ? null : { median, p90 };
}
