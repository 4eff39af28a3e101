import assert from "node:assert/strict";
import { test } from "node:test";
import { TestDrover } from "../harness/drover.ts";
import { seed, seeded } from "../harness/random.ts";
import { soak } from "../harness/soak.ts";

test("random deaths and changes under load fail no request that a correct proxy would have saved", async (t) => {
  await using drover = await TestDrover.start();
  const options = { durationMs: 6_000, perSecond: 60, everyMs: 250, replaceEdgeFor: 1, random: seeded(seed) };
  const { unsaved, answered } = await soak(drover, options, t.signal);
  assert.deepEqual(unsaved, [], `DROVER_SEED=${seed} makes the same choices again; bench/soak.ts goes on for longer`);
  assert.ok(answered > 0);
});
