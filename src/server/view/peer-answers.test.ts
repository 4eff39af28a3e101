import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import { askPeers } from "./peer-answers.ts";

test("a peer that is too late is said to be, whatever words its request ends with, and the others' answers count", async () => {
  const clock = new VirtualClock();
  const ask = (peer: string, signal: AbortSignal) =>
    peer === "quick"
      ? Promise.resolve(7)
      : new Promise<number>((_, fail) => signal.addEventListener("abort", () => fail(new Error("The operation was aborted"))));
  const asked = askPeers(["quick", "slow"], ask, clock, new AbortController().signal);
  await clock.advance(1_000);
  assert.deepEqual(await asked, [
    { peer: "quick", answer: 7 },
    { peer: "slow", why: "no answer within 1000 ms" },
  ]);
});
