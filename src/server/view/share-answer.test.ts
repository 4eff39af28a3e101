import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import { shareAnswer } from "./share-answer.ts";

const never = new AbortController().signal;

test("all who ask at about the same time get one answer, and who asks later another", async () => {
  const clock = new VirtualClock();
  let asked = 0;
  const ask = shareAnswer(async () => ++asked, clock, never);
  assert.deepEqual(await Promise.all([ask(never), ask(never)]), [1, 1]);
  await clock.advance(100);
  assert.equal(await ask(never), 1);
  await clock.advance(1_000);
  assert.equal(await ask(never), 2);
});

test("one who gives up leaves the others their answer, and a failure is nobody's answer for long", async () => {
  const clock = new VirtualClock();
  const answers = [Promise.withResolvers<number>(), Promise.withResolvers<number>()];
  let asked = 0;
  const ask = shareAnswer(() => answers[asked++]?.promise ?? Promise.reject(new Error("too often")), clock, never);
  const leaving = new AbortController();
  const [left, stayed] = [ask(leaving.signal), ask(never)];
  leaving.abort(new Error("left"));
  await assert.rejects(left, /left/);
  answers[0]?.reject(new Error("nobody there"));
  await assert.rejects(stayed, /nobody there/);
  answers[1]?.resolve(7);
  assert.equal(await ask(never), 7);
  assert.equal(asked, 2);
});
