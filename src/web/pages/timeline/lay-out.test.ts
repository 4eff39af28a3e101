import assert from "node:assert/strict";
import { test } from "node:test";
import type { TimelineSpan } from "#model/api-history.ts";
import { layOut, mostRows } from "./lay-out.ts";

const span = (startMs: number | null, endMs: number | null): TimelineSpan => ({
  key: `${startMs}`,
  lane: "deploys",
  space: null,
  app: null,
  subject: null,
  title: "",
  message: "",
  startMs,
  endMs,
  outcome: "ok",
  by: null,
  link: null,
  firstEvent: 0,
  lastEvent: 0,
});
const range = { fromMs: 1_000, toMs: 2_000 };

test("what overlaps stands in rows of its own, and what comes after takes the first that is free", () => {
  const { placed, rows } = layOut([span(1_000, 1_500), span(1_200, 1_800), span(1_600, 1_700)], range);
  assert.deepEqual(
    placed.map(({ row, from, to }) => [row, from, to]),
    [
      [0, 0, 0.5],
      [1, 0.2, 0.8],
      [0, 0.6, 0.7],
    ],
  );
  assert.equal(rows, 2);
});

test("what began before and what goes on reach to the edges, and a moment can be hit", () => {
  const { placed } = layOut([span(null, 1_100), span(1_900, null), span(2_000, 2_000)], range);
  assert.deepEqual(
    placed.map(({ from, to }) => [from, to]),
    [
      [0, 0.1],
      [0.9, 1],
      [0.996, 1],
    ],
  );
  assert.deepEqual(layOut([span(100, 200), span(3_000, null)], range).placed, []);
});

test("a lane has no more rows than can be looked at, and says what it hides", () => {
  const all = Array.from({ length: 10 }, () => span(1_100, 1_900));
  const { placed, hidden } = layOut(all, range);
  assert.deepEqual([placed.length, hidden], [mostRows, 10 - mostRows]);
});
