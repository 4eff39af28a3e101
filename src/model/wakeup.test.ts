import assert from "node:assert/strict";
import { test } from "node:test";
import { Wakeup } from "./wakeup.ts";

const never = new AbortController().signal;

test("a wait ends at the next wake-up, and none is kept from before it", async () => {
  const wakeup = new Wakeup();
  wakeup.wake();
  let isOver = false;
  const waiting = wakeup.wait(never).then(() => (isOver = true));
  await Promise.resolve();
  assert.equal(isOver, false);
  wakeup.wake();
  await waiting;
});

test("a wait ends when its signal aborts, and at once where it has", async () => {
  const wakeup = new Wakeup();
  const gone = new AbortController();
  const waiting = wakeup.wait(gone.signal);
  gone.abort();
  await waiting;
  await wakeup.wait(gone.signal);
});

test("who stops waiting takes no wake-up from the one that waits next", async () => {
  const wakeup = new Wakeup();
  const gone = new AbortController();
  const before = wakeup.wait(gone.signal);
  gone.abort();
  const next = wakeup.wait(never);
  await before;
  wakeup.wake();
  await next;
});
