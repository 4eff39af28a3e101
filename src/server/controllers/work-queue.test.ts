import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import { WorkQueue } from "./work-queue.ts";

function setUp(work: (key: string) => Promise<number | null>, concurrency = 2) {
  const clock = new VirtualClock();
  const stop = new AbortController();
  return { clock, stop, queue: new WorkQueue<string>({ concurrency, work, clock }, stop.signal) };
}

test("a key that is woken many times is worked on once, and once more when it is woken meanwhile", async () => {
  let passes = 0;
  const gate = Promise.withResolvers<void>();
  const { clock, queue } = setUp(async () => {
    passes++;
    await gate.promise;
    return null;
  });
  for (let i = 0; i < 5; i++) queue.wake("a");
  await clock.advance(0);
  for (let i = 0; i < 5; i++) queue.wake("a");
  gate.resolve();
  await clock.advance(0);
  assert.equal(passes, 2);
  assert.equal(queue.size, 0);
});

test("no more keys than allowed are worked on at once, and none twice", async () => {
  let now = 0;
  let most = 0;
  const seen: string[] = [];
  const { clock, queue } = setUp(async (key) => {
    most = Math.max(most, ++now);
    seen.push(key);
    await Promise.resolve();
    now--;
    return null;
  });
  for (const key of ["a", "b", "c", "d"]) queue.wake(key);
  await clock.advance(0);
  assert.equal(most, 2);
  assert.deepEqual(seen, ["a", "b", "c", "d"]);
});

test("a pass that names a time is repeated then, unless something wakes the key before", async () => {
  const passes: number[] = [];
  const { clock, queue } = setUp(async () => {
    passes.push(clock.monotonicMs());
    return passes.length < 3 ? clock.monotonicMs() + 100 : null;
  });
  queue.wake("a");
  await clock.advance(50);
  queue.wake("a");
  await clock.advance(1_000);
  assert.deepEqual(passes, [0, 50, 150]);
});

test("after an abort nothing is begun, and stopped waits for what is under way", async () => {
  const gate = Promise.withResolvers<void>();
  const begun: string[] = [];
  const { clock, stop, queue } = setUp(async (key) => {
    begun.push(key);
    await gate.promise;
    return null;
  }, 1);
  queue.wake("a");
  queue.wake("b");
  await clock.advance(0);
  stop.abort();
  let isStopped = false;
  const stopped = queue.stopped().then(() => {
    isStopped = true;
  });
  await clock.advance(0);
  assert.equal(isStopped, false);
  gate.resolve();
  await stopped;
  assert.deepEqual(begun, ["a"]);
});
