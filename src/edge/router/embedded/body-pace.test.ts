import assert from "node:assert/strict";
import { test } from "node:test";
import { BodyPace } from "./body-pace.ts";

const pace = { bytesPerSecond: 100, idleMs: 30_000 };

test("a body that comes at the least rate or faster always has time left", () => {
  const body = new BodyPace(pace, 0);
  for (let nowMs = 1_000; nowMs < 600_000; nowMs += 1_000) {
    body.took(100, nowMs);
    assert.equal(body.deadlineMs, nowMs + 30_000);
  }
});

test("a body that drips is due once it is as far behind its rate as silence may last, whatever came before", () => {
  const body = new BodyPace(pace, 0);
  body.took(100_000_000, 0);
  let nowMs = 0;
  while (nowMs < body.deadlineMs) body.took(1, (nowMs += 1_000));
  // A byte earns ten milliseconds of each second.
  assert.equal(nowMs, 31_000);
});

test("who rests and then makes up for it is not too slow", () => {
  const body = new BodyPace(pace, 0);
  body.took(10, 29_000);
  assert.equal(body.deadlineMs, 30_100);
  body.took(3_000, 30_000);
  assert.equal(body.deadlineMs, 60_000);
});

test("time in which nothing is read is the app's, and none of the client's", () => {
  const body = new BodyPace(pace, 0);
  body.pause(10_000);
  assert.equal(body.deadlineMs, 40_000);
  body.pause(20_000);
  body.resume(35_000);
  assert.equal(body.deadlineMs, 55_000);
});

test("without a rate any byte will do", () => {
  const body = new BodyPace({ ...pace, bytesPerSecond: 0 }, 0);
  for (let nowMs = 29_000; nowMs < 600_000; nowMs += 29_000) {
    body.took(1, nowMs);
    assert.equal(body.deadlineMs, nowMs + 30_000);
  }
});
