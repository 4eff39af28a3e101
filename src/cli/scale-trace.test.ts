import assert from "node:assert/strict";
import { test } from "node:test";
import { readScaleTrace } from "./scale-trace.ts";

test("a trace is seconds or moments, and amounts as manifests have them", () => {
  assert.deepEqual(readScaleTrace("time, cpu,latency\n0,1.5,250ms\n\n60, 2 ,1s\n", 1_000), [
    { atMs: 1_000, cores: 1.5, latencyMs: 250 },
    { atMs: 61_000, cores: 2, latencyMs: 1_000 },
  ]);
  assert.deepEqual(readScaleTrace("time,memory,rps\r\n2026-11-23T08:00:00Z,64MiB,7", 0), [
    { atMs: Date.UTC(2026, 10, 23, 8), memoryBytes: 64 * 2 ** 20, rps: 7 },
  ]);
  assert.deepEqual(readScaleTrace("time,metric,command\n0,1200,7", 0), [{ atMs: 0, metric: 1_200, command: 7 }]);
});

for (const [what, text, message] of [
  ["an empty file", "", /line 1 of the trace has ""/],
  ["a head without time", "cpu,rps\n1,2", /line 1 of the trace has "cpu,rps"/],
  ["a column that is unknown", "time,cores\n0,1", /line 1/],
  ["a column twice", "time,cpu,cpu\n0,1,1", /line 1/],
  ["a name that every object has", "time,constructor\n0,1", /line 1/],
  ["a value too few", "time,cpu\n0,1\n5", /line 3 of the trace has 1 values/],
  ["a time that is none", "time,cpu\nsoon,1", /line 2 of the trace has the time "soon"/],
  ["an amount that is none", "time,cpu\n0,-1", /line 2 of the trace has cpu "-1"/],
] as const)
  test(`refused with its line: ${what}`, () => {
    assert.throws(() => readScaleTrace(text, 0), { code: "USAGE", message });
  });
