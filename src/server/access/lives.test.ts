import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { Principal } from "./access-rule.ts";
import { createLives } from "./lives.ts";

const token: Principal = { id: "a/1", token: "a/1", name: "a", role: "viewer", spaces: null, expiresAtMs: null, session: null };
const session: Principal = { ...token, id: "session s", session: "s" };

test("what is open ends within 5 s of its token, and nothing else does", async () => {
  const clock = new VirtualClock();
  const valid = new Set([token, session]);
  const lives = createLives({ isValid: (principal) => valid.has(principal), clock }, new AbortController().signal);
  const [mine, others] = [lives.begin(token), lives.begin(session)];
  await clock.advance(60_000);
  assert.deepEqual([mine.signal.aborted, others.signal.aborted], [false, false]);
  valid.delete(token);
  await clock.advance(5_000);
  assert.deepEqual([mine.signal.aborted, others.signal.aborted], [true, false]);
  assert.deepEqual([mine.signal.reason.code, mine.signal.reason.message], ["UNAUTHENTICATED", "the token is no longer valid"]);
  valid.delete(session);
  lives.look();
  assert.equal(others.signal.reason.message, "the session is no longer valid", "at once when somebody asks");
});

test("what begins with a token that has ended is over at once", () => {
  const lives = createLives({ isValid: () => false, clock: new VirtualClock() }, new AbortController().signal);
  assert.equal(lives.begin(token).signal.aborted, true);
});

test("while nothing is open nobody looks", async () => {
  const clock = new VirtualClock();
  let looks = 0;
  const lives = createLives({ isValid: () => ++looks > 0, clock }, new AbortController().signal);
  for (let i = 0; i < 2; i++) {
    lives.begin(token)[Symbol.dispose]();
    await clock.advance(60_000);
  }
  assert.equal(looks, 2, "as each began");
});
