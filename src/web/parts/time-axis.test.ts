import assert from "node:assert/strict";
import { test } from "node:test";
import { ticksOf } from "./time-axis.ts";

test("marks stand at round times, no more than fit, from the first to the last of the stretch", () => {
  const fromMs = new Date(2026, 0, 5, 9, 58, 30).getTime();
  const ticks = ticksOf(fromMs, fromMs + 3_600_000, 6);
  assert.deepEqual(
    ticks.map(({ text }) => text),
    ["10:00", "10:15", "10:30", "10:45"],
  );
  assert.equal(ticks[0]?.at, 90_000 / 3_600_000);
  assert.deepEqual(ticksOf(5, 5, 6), []);
});

test("days are named by their date, seconds by the second", () => {
  const fromMs = new Date(2026, 0, 5, 12).getTime();
  assert.deepEqual(
    ticksOf(fromMs, fromMs + 3 * 86_400_000, 4).map(({ text }) => text),
    ["01-06", "01-07", "01-08"],
  );
  assert.equal(ticksOf(fromMs + 1_000, fromMs + 20_000, 6)[0]?.text, "12:00:05");
});
