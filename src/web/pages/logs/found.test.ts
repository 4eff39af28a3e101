import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogEventView } from "#model/api-logs.ts";
import { nothing, withMissed, withOlder, withTail } from "./found.ts";

const event = (sequence: number): LogEventView => ({
  machine: "m1",
  instance: "shop/api/web.1.aaaaa",
  atMs: sequence,
  sequence,
  lines: 1,
  text: `line ${sequence}`,
  source: "app",
  level: null,
  statedAtMs: null,
  fields: {},
});
const came = (sequence: number) => ({ kind: "event", event: event(sequence) }) as const;
const shown = (events: readonly LogEventView[]) => events.map(({ sequence }) => sequence);

test("what came between a search and its stream is shown once, the newest first", () => {
  const found = { ...nothing, events: withOlder([], [event(5), event(4)]) };
  assert.deepEqual(shown(withTail(found, [came(5), came(6), came(7)]).events), [7, 6, 5, 4]);
});

test("a page from further back goes behind, and what both have stands once", () => {
  assert.deepEqual(shown(withOlder([event(5), event(4)], [event(4), event(3)])), [5, 4, 3]);
});

test("what was missed while no stream was heard goes to its place, once", () => {
  assert.deepEqual(shown(withMissed([event(7), event(3)], [event(6), event(5), event(3)])), [7, 6, 5, 3]);
});

test("a machine that is not heard is named until it is heard again", () => {
  const silent = withTail(nothing, [
    { kind: "silent", machine: "m1", why: "gone" },
    { kind: "silent", machine: "m2", why: "gone" },
  ]);
  assert.deepEqual(silent.unheard, ["m1", "m2"]);
  assert.deepEqual(withTail(silent, [{ kind: "heard", machine: "m1" }]).unheard, ["m2"]);
});
