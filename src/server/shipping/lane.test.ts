import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import { Lane } from "./lane.ts";

const never = new AbortController().signal;

test("as many as may send do at once, and after a failure one, when its pause is over", async () => {
  const clock = new VirtualClock();
  const lane = new Lane({ most: 2, clock, random: () => 1 });
  const inside: string[] = [];
  const enter = (name: string) => lane.enter(never).then(() => inside.push(name));
  await Promise.all([enter("a"), enter("b")]);
  const waiting = [enter("c"), enter("d")];
  lane.leave();
  await waiting[0];
  assert.deepEqual(inside, ["a", "b", "c"]);
  assert.equal(lane.failed(null), 1_000);
  assert.equal(lane.failed(null), 2_000, "each pause is twice the one before");
  lane.leave();
  lane.leave();
  await clock.advance(1_999);
  assert.deepEqual(inside, ["a", "b", "c"]);
  await clock.advance(1);
  await waiting[1];
  const last = enter("e");
  await clock.advance(10_000);
  assert.deepEqual(inside, ["a", "b", "c", "d"], "one looks whether it is well again");
  lane.succeeded();
  lane.leave();
  await last;
});

test("a pause is as long as the receiver asks for, and grows to five minutes at most", () => {
  const lane = new Lane({ most: 1, clock: new VirtualClock(), random: () => 0 });
  assert.equal(lane.failed(60_000), 60_000);
  for (let failures = 0; failures < 20; failures++) lane.failed(null);
  assert.equal(lane.failed(null), 150_000, "a random share of it, from half on");
});

test("whoever waits stops at once when its signal aborts", async () => {
  const lane = new Lane({ most: 1, clock: new VirtualClock(), random: () => 1 });
  await lane.enter(never);
  const stop = new AbortController();
  const waiting = lane.enter(stop.signal);
  stop.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
});
