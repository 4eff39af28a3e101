import assert from "node:assert/strict";
import { test } from "node:test";
import { playHistories } from "../many.ts";
import { runLadderHistory } from "./history.ts";

/** Some seconds of them in every run. CI plays ten thousand: `node test/simulation/run.ts ladder`. */
const histories = 700;

test("the same seed twice gives the same history of escalations, to the last line", () => {
  for (const seed of [1, 2, 3]) assert.deepEqual(runLadderHistory(seed).trace, runLadderHistory(seed).trace);
});

test(`through ${histories} histories of broken machines, lying actions, blind probes, dead servers and people every rule of the ladder is kept`, () =>
  playHistories("ladder", histories, 1));
