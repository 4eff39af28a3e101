import assert from "node:assert/strict";
import { test } from "node:test";
import type { InstanceId } from "#model/names.ts";
import { routeTo } from "../router/embedded/testing/edge.ts";
import { DrainTotals } from "./drain-totals.ts";

const route = routeTo(5_000);
const id = route.targets[0]?.endpoints[0]?.instance as InstanceId;
const leaves = { set: [], remove: [route.id] };

/** What is told from here on, up to and including the count that is asked for. */
async function toldUntil(totals: DrainTotals, open: number, act: () => void): Promise<readonly number[]> {
  const stop = new AbortController();
  const told: number[] = [];
  const reading = (async () => {
    for await (const news of totals.read(stop.signal)) {
      told.push(news.open);
      if (news.open === open) return;
    }
  })();
  await new Promise(setImmediate);
  act();
  await reading;
  stop.abort();
  return told;
}

test("an instance counts as let go only once every worker has heard that it left, and none has anything open on it", async () => {
  const totals = new DrainTotals();
  const told = await toldUntil(totals, 0, () => {
    totals.begin(leaves);
    totals.tell(1, id, 0);
    totals.tell(2, id, 3);
    totals.end(leaves);
    totals.tell(2, id, 0);
  });
  assert.deepEqual(told, [0], "counts in between are replaced by newer ones; the zero of the first worker alone was never told");
});

test("what was open with a worker that died counts no more", async () => {
  const totals = new DrainTotals();
  totals.begin(leaves);
  totals.tell(1, id, 2);
  totals.tell(2, id, 1);
  totals.end(leaves);
  assert.deepEqual(await toldUntil(totals, 1, () => totals.forget(1)), [3, 1]);
  assert.deepEqual(await toldUntil(totals, 0, () => totals.forget(2)), [1, 0]);
});

test("an instance that came back is not told as one that left", async () => {
  const totals = new DrainTotals();
  totals.begin(leaves);
  totals.tell(1, id, 0);
  totals.end(leaves);
  const returns = { set: [route], remove: [] };
  totals.begin(returns);
  totals.tell(2, id, 0);
  totals.end(returns);
  const other = "space/app/web.1.other" as InstanceId;
  totals.tell(1, other, 0);
  const stop = new AbortController();
  for await (const { instance } of totals.read(stop.signal)) {
    assert.equal(instance, other);
    break;
  }
  stop.abort();
});
