import assert from "node:assert/strict";
import { test } from "node:test";
import { runLadderHistory } from "./history.ts";

/** Some seconds of them in every run; ten thousand with `node test/simulation/ladder/run.ts`. */
const histories = Number(process.env["DROVER_SIMULATIONS"] ?? 400);
const first = Number(process.env["DROVER_SEED"] ?? 1);

test("the same seed twice gives the same history of escalations, to the last line", () => {
  for (const seed of [1, 2, 3]) assert.deepEqual(runLadderHistory(seed).trace, runLadderHistory(seed).trace);
});

test(`through ${histories} histories of broken machines, lying actions, blind probes, dead servers and people every rule of the ladder is kept`, () => {
  for (let seed = first; seed < first + histories; seed++) {
    const { problems } = runLadderHistory(seed);
    assert.deepEqual(problems, [], `seed ${seed}; replay it with: node test/simulation/ladder/replay.ts ${seed}`);
  }
});
