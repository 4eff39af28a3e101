import assert from "node:assert/strict";
import { test } from "node:test";
import { type Lane, lanes } from "#model/api-history.ts";
import type { DroverEvent } from "#model/app.ts";
import { foldFeedback } from "./fold-feedback.ts";
import { foldTimeline } from "./fold-timeline.ts";

type Told = readonly [atMs: number, kind: string, about?: Partial<DroverEvent>];

/** Of default/web unless it is said otherwise. */
const events = (...told: readonly Told[]): DroverEvent[] =>
  told.map(([atMs, kind, about], i) => ({
    sequence: i + 1,
    atMs,
    space: "default",
    app: "web",
    subject: null,
    kind,
    message: `${kind} told`,
    details: null,
    by: null,
    ...about,
  }));
const release = (number: number, more: Partial<DroverEvent> = {}) => ({ subject: String(number), ...more });
const installation = (subject: string) => ({ space: null, app: null, subject });

function spans(told: readonly DroverEvent[], lane: Lane) {
  const [found] = foldTimeline(told, new Set([lane]));
  return found?.spans.map(({ subject, startMs, endMs, outcome, by }) => ({ subject, startMs, endMs, outcome, by }));
}

test("a deploy is one span from when it was asked for until it served, failed, or gave way, with who asked", () => {
  const told = events(
    [1, "app.created", release(1, { by: "ci" })],
    [2, "release.started", release(1)],
    [9, "release.active", release(1)],
    [10, "release.created", release(2)],
    [12, "release.failed", release(2)],
    [13, "release.created", release(3)],
    [14, "release.superseded", release(3)],
    [15, "release.created", release(4)],
  );
  assert.deepEqual(spans(told, "deploys"), [
    { subject: "1", startMs: 1, endMs: 9, outcome: "ok", by: "ci" },
    { subject: "2", startMs: 10, endMs: 12, outcome: "failed", by: null },
    { subject: "3", startMs: 13, endMs: 14, outcome: "replaced", by: null },
    { subject: "4", startMs: 15, endMs: null, outcome: "open", by: null },
  ]);
  assert.deepEqual(spans(told, "people"), [{ subject: "1", startMs: 1, endMs: 1, outcome: "ok", by: "ci" }]);
});

test("health, checks, escalations, machines and edges are spans as well, and what only happens is a moment", () => {
  const told = events(
    [1, "app.well"],
    [2, "check.failing", { subject: "smoke@app/web" }],
    [3, "app.failing"],
    [4, "instance.crashed", { subject: "default/web/web.1.a" }],
    [5, "escalation.settling", { subject: "e1" }],
    [6, "escalation.begun", { subject: "e1" }],
    [7, "agent.unlinked", installation("m1")],
    [8, "machine.lost", installation("m1")],
    [9, "agent.linked", installation("m1")],
    [10, "edge.problem", { ...installation("m1"), details: { code: "PORT_IN_USE", route: "r" } }],
    [11, "escalation.done", { subject: "e1" }],
    [12, "app.well", { details: { sinceMs: 3 } }],
    [13, "check.passing", { subject: "smoke@app/web" }],
  );
  const of = (lane: Lane) => spans(told, lane)?.map(({ startMs, endMs, outcome }) => [startMs, endMs, outcome]);
  assert.deepEqual(of("health"), [
    [3, 12, "ok"],
    [4, 4, "failed"],
  ]);
  assert.deepEqual(of("checks"), [[2, 13, "ok"]]);
  assert.deepEqual(of("escalations"), [[5, 11, "ok"]]);
  assert.deepEqual(of("machines"), [[7, 9, "ok"]]);
  assert.deepEqual(of("edges"), [[10, null, "open"]]);
});

test("what began before the time that is looked at has no start, or the one that its end tells", () => {
  assert.deepEqual(spans(events([5, "release.active", release(3)]), "deploys"), [
    { subject: "3", startMs: null, endMs: 5, outcome: "ok", by: null },
  ]);
  assert.deepEqual(spans(events([9, "app.well", { details: { sinceMs: 2 } }]), "health"), [
    { subject: null, startMs: 2, endMs: 9, outcome: "ok", by: null },
  ]);
  assert.deepEqual(spans(events([9, "agent.linked", installation("m1")]), "machines"), [], "a first link ends nothing");
});

test("any events whatever make a timeline in which nothing ends before it begins", () => {
  const kinds = [
    "release.created",
    "release.active",
    "app.failing",
    "app.well",
    "escalation.x",
    "escalation.done",
    "nonsense",
    "__proto__",
    "constructor",
  ];
  let seed = 7;
  const random = () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
  const told = events(
    ...Array.from(
      { length: 2_000 },
      (_, i): Told => [i, kinds[Math.floor(random() * kinds.length)] ?? "", release(Math.floor(random() * 4))],
    ),
  );
  for (const { spans: found } of foldTimeline(told, new Set(lanes)))
    for (const { startMs, endMs, outcome } of found) {
      assert.ok(startMs === null || endMs === null || startMs <= endMs);
      assert.equal(outcome === "open", endMs === null);
    }
});

const period = { sinceMs: 1_000, untilMs: 1_000 + 10 * 86_400_000 };
const figures = (...told: readonly Told[]) => foldFeedback(events(...told), period).apps[0];

test("lead time is from when a release was taken until it served; what has not ended or ended before does not count", () => {
  const found = figures(
    [500, "app.created", release(1)],
    [900, "release.active", release(1)],
    [2_000, "release.created", release(2)],
    [2_400, "release.active", release(2)],
    [3_000, "env.changed", release(3)],
    [3_800, "release.active", release(3)],
    [4_000, "release.created", release(4)],
  );
  assert.deepEqual([found?.changes, found?.failed, found?.failureRate, found?.leadTimeMs], [2, 0, 0, { median: 400, p90: 800 }]);
  assert.equal(found?.perDay, 0.2);
});

test("a change failed if its release did, or if somebody went back from it; going back is no change", () => {
  const found = figures(
    [2_000, "release.created", release(2)],
    [2_100, "release.failed", release(2)],
    [2_101, "release.active", release(1)],
    [3_000, "release.created", release(3)],
    [3_100, "release.active", release(3)],
    [4_000, "release.rollback", release(4, { details: { from: 3, to: 1 } })],
    [4_100, "release.active", release(4)],
    [5_000, "release.created", release(5)],
    [5_100, "release.active", release(5)],
    [6_000, "release.created", release(6)],
    [6_100, "release.active", release(6)],
  );
  assert.deepEqual([found?.changes, found?.failed, found?.failureRate], [4, 2, 0.5]);
});

test("time to restore is from failing until well again; what was stopped meanwhile was not restored, and what still fails is told", () => {
  const found = figures(
    [500, "app.failing"],
    [2_000, "app.well"],
    [3_000, "app.failing"],
    [3_500, "app.degraded"],
    [4_000, "app.well"],
    [5_000, "app.failing"],
    [5_500, "app.idle"],
    [6_000, "app.well"],
    [7_000, "app.failing"],
  );
  assert.deepEqual([found?.restores, found?.restoreMs, found?.failingSinceMs], [2, { median: 1_000, p90: 1_500 }, 7_000]);
  const none = figures([2_000, "app.well"]);
  assert.deepEqual([none?.failureRate, none?.leadTimeMs, none?.restoreMs], [null, null, null]);
});

test("an app that was destroyed and made anew begins with release 1 again, and that is another change", () => {
  const found = figures(
    [2_000, "app.created", release(1)],
    [2_100, "release.active", release(1)],
    [3_000, "app.destroyed"],
    [4_000, "app.created", release(1)],
    [4_200, "release.active", release(1)],
  );
  assert.deepEqual([found?.changes, found?.leadTimeMs?.median], [2, 100]);
});
