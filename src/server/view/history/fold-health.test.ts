import assert from "node:assert/strict";
import { test } from "node:test";
import type { DroverEvent } from "#model/app.ts";
import { foldHealth } from "./fold-health.ts";

const event = (atMs: number, kind: string, details: unknown = null): DroverEvent => ({
  sequence: atMs,
  atMs,
  space: "default",
  app: "web",
  subject: null,
  kind,
  message: `${kind} told`,
  details,
  by: null,
});
const time = { sinceMs: 100, untilMs: 200 };
const states = (before: DroverEvent | null, ...events: readonly DroverEvent[]) =>
  foldHealth(before, events, time).periods.map(({ state, startMs, endMs }) => [state, startMs, endMs]);

test("a time is covered without a gap, from what was told last before it", () => {
  assert.deepEqual(states(event(10, "app.well"), event(120, "app.failing"), event(140, "app.degraded"), event(150, "app.well")), [
    ["well", 100, 120],
    ["failing", 120, 140],
    ["degraded", 140, 150],
    ["well", 150, 200],
  ]);
  assert.deepEqual(states(null, event(120, "app.well")), [
    ["unknown", 100, 120],
    ["well", 120, 200],
  ]);
  assert.deepEqual(
    states(event(10, "agent.linked"), event(120, "agent.unlinked"), event(130, "machine.lost"), event(150, "agent.linked")),
    [
      ["well", 100, 120],
      ["failing", 120, 150],
      ["well", 150, 200],
    ],
  );
});

test("the share that was well is of the time in which it was to run; nothing is said where that is none", () => {
  const history = foldHealth(
    event(10, "app.well"),
    [event(110, "app.failing", { code: "CRASHED" }), event(120, "app.well"), event(140, "app.idle")],
    time,
  );
  assert.equal(history.wellShare, 0.75);
  assert.equal(history.periods[1]?.code, "CRASHED");
  assert.equal(foldHealth(null, [], time).wellShare, null);
  assert.equal(foldHealth(event(10, "app.idle"), [], time).wellShare, null);
});
