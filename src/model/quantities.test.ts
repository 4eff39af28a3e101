import assert from "node:assert/strict";
import { test } from "node:test";
import { took } from "./quantities.ts";

test("how long something took is said in two units at most, and none of them is full", () => {
  const [minuteMs, hourMs, dayMs] = [60_000, 3_600_000, 86_400_000];
  for (const [ms, text] of [
    [842, "0.84 s"],
    [12_300, "12.3 s"],
    [59_990, "1 min 0 s"],
    [2 * minuteMs - 1, "2 min 0 s"],
    [125_000, "2 min 5 s"],
    [hourMs - 1, "1 h 0 min"],
    [3 * hourMs + 20 * minuteMs, "3 h 20 min"],
    [dayMs - 1, "1 d 0 h"],
    [40 * dayMs - 5 * hourMs, "39 d 19 h"],
  ] as const)
    assert.equal(took(ms), text);
});
