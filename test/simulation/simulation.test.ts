import assert from "node:assert/strict";
import { test } from "node:test";
import { runHistory } from "./history.ts";
import { playHistories } from "./many.ts";

/** Enough to find what the planners' own properties do not, few enough for every run; more: `node test/simulation/run.ts deploys`. */
const histories = 200;

test("the same seed twice gives the same history, to the last commit, order and event", async () => {
  for (const seed of [1, 2, 3]) assert.deepEqual((await runHistory(seed)).trace, (await runHistory(seed)).trace);
});

test(`through ${histories} histories of deploys, scaling, crashes, dead servers and cut links every promise is kept`, () =>
  playHistories("deploys", histories, 1));
