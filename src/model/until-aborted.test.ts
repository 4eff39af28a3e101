import assert from "node:assert/strict";
import { test } from "node:test";
import { untilAborted } from "./until-aborted.ts";

const aborted = AbortSignal.abort(new Error("nobody waits"));

test("what the work comes to is passed on, and so is what it throws", async () => {
  const { signal } = new AbortController();
  assert.equal(await untilAborted(Promise.resolve(1), signal), 1);
  await assert.rejects(untilAborted(Promise.reject(new Error("broken")), signal), /broken/);
});

test("work that never ends is waited for until the signal aborts", async () => {
  const controller = new AbortController();
  const waiting = untilAborted(new Promise(() => {}), controller.signal);
  controller.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
});

test("when the signal has aborted already, its reason is thrown, and work that fails afterwards ends nothing", async (t) => {
  const unheard: unknown[] = [];
  const hear = (error: unknown) => unheard.push(error);
  process.on("unhandledRejection", hear);
  t.after(() => process.off("unhandledRejection", hear));
  await assert.rejects(untilAborted(Promise.reject(new Error("broken")), aborted), /nobody waits/);
  await assert.rejects(untilAborted(Promise.resolve(1), aborted), /nobody waits/);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(unheard, []);
});
