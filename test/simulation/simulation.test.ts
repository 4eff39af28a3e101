import assert from "node:assert/strict";
import { test } from "node:test";
import { runHistory } from "./history.ts";

/** Enough to find what the planners' own properties do not, few enough for every run; more with DROVER_SIMULATIONS=10000. */
const histories = Number(process.env["DROVER_SIMULATIONS"] ?? 200);
const first = Number(process.env["DROVER_SEED"] ?? 1);

test("the same seed twice gives the same history, to the last commit, order and event", async () => {
  for (const seed of [1, 2, 3]) assert.equal((await runHistory(seed)).hash, (await runHistory(seed)).hash);
});

test(`through ${histories} histories of deploys, scaling, crashes, dead servers and cut links every promise is kept`, async () => {
  for (let seed = first; seed < first + histories; seed++) {
    const { problems } = await runHistory(seed);
    assert.deepEqual(problems, [], `seed ${seed}; replay it with: node test/simulation/replay.ts ${seed}`);
  }
});
