import assert from "node:assert/strict";
import { test } from "node:test";
import type { Measurement } from "#model/measurement.ts";
import { isSettledEarly, type Window, windowOf } from "./window.ts";

const whole = (fromMs: number, toMs: number): Window => ({ fromMs, toMs, isWhole: true });
const part = (fromMs: number, toMs: number): Window => ({ fromMs, toMs, isWhole: false });

const rows: readonly (readonly [sentence: string, nowMs: number, mendedAtMs: number | null, stepMs: number, window: Window | null])[] = [
  ["without a step it looks back over its whole time", 1_000, null, 1, whole(700, 1_000)],
  ["a step of longer ago changes nothing", 1_000, 700, 1, whole(700, 1_000)],
  ["after a step it looks at what came since", 1_000, 900, 1, part(900, 1_000)],
  ["at its very end there is nothing to look at", 1_000, 1_000, 1, null],
  ["within a quiet period it looks back as ever", 1_000, 1_001, 1, whole(700, 1_000)],
  ["the figure of a step in which it was mended does not count", 1_049, 901, 50, part(950, 1_000)],
  ["nor is there any before the next two", 1_049, 951, 50, null],
];
for (const [sentence, nowMs, mendedAtMs, stepMs, window] of rows)
  test(sentence, () => assert.deepEqual(windowOf(300, nowMs, mendedAtMs, stepMs), window));

test("over a part of its time a condition says only what nothing that follows can change", () => {
  const errors: Measurement = {
    ...{ metric: "errors", of: null, match: {}, fn: "increase", aggregate: "sum", quantile: 0.95, overMs: 60_000 },
  };
  assert.equal(isSettledEarly(errors, "above", false), true, "there are too many already");
  assert.equal(isSettledEarly(errors, "above", true), false, "there may be too many yet");
  assert.equal(isSettledEarly(errors, "below", true), true, "there are enough already");
  assert.equal(isSettledEarly(errors, "below", false), false, "there may be enough yet");
  assert.equal(isSettledEarly({ ...errors, fn: "last" }, "above", true), true, "the last value needs no time");
  for (const other of [{ fn: null }, { fn: "rate" }, { fn: "avg" }, { fn: "quantile" }, { of: "requests" }, { aggregate: "avg" }] as const)
    assert.equal(isSettledEarly({ ...errors, ...other }, "above", false), false, JSON.stringify(other));
});
