import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import { Deadlines } from "./deadlines.ts";

test("nobody wakes for deadlines while nothing has one, and what comes later is told in time", async () => {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock, 250);
  const stop = new AbortController();
  const running = deadlines.run(stop.signal);
  await nextTurn();
  assert.equal(clock.untilNextMs(), null);

  const told: number[] = [];
  const timed = {
    deadlineMs: 1_000,
    onDeadline: (nowMs: number) => {
      told.push(nowMs);
      deadlines.delete(timed);
    },
  };
  deadlines.add(timed);
  await nextTurn();
  for (let untilMs = clock.untilNextMs(); untilMs !== null; untilMs = clock.untilNextMs()) await clock.advance(untilMs);
  assert.deepEqual(told, [1_000]);

  stop.abort(new Error("the test is over"));
  await running;
});
