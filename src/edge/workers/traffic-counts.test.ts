import assert from "node:assert/strict";
import { test } from "node:test";
import type { RouteId } from "#model/names.ts";
import type { TargetTraffic } from "#model/routing-table.ts";
import { TrafficSince, TrafficTotals } from "./traffic-counts.ts";

const counted = (requests: number, release = 1): TargetTraffic => ({
  route: "a" as RouteId,
  release,
  requests,
  errors: 1,
  bytesIn: 10 * requests,
  bytesOut: 100 * requests,
  latency: [requests, 0, 2],
  classes: [0, requests, 0, 0, 0],
});

/** A counter that goes on counting, as the router's do. */
function counter(): { count: (requests: number) => void; readonly live: TargetTraffic } {
  const live = { ...counted(0), errors: 0, bytesOut: 0, latency: [0, 0, 0] };
  return { count: (requests) => Object.assign(live, counted(requests)), live };
}
const take = (since: TrafficSince, ...all: TargetTraffic[]) => [...since.take(all)].filter((one) => one !== null);

test("differences of several workers add up to what they counted together", () => {
  const totals = new TrafficTotals();
  const [first, second] = [new TrafficSince(), new TrafficSince()];
  const [a, b] = [counter(), counter()];
  assert.deepEqual(take(first, a.live), [], "nothing was counted");
  a.count(3);
  b.count(2);
  totals.add(take(first, a.live));
  totals.add(take(second, b.live));
  a.count(5);
  totals.add(take(first, a.live));
  assert.deepEqual(take(first, a.live), [], "nothing changed");
  assert.deepEqual(totals.read(), [{ ...counted(7), errors: 2, latency: [7, 0, 4] }]);
});

test("a counter that was forgotten and starts from nothing adds only what is new", () => {
  const totals = new TrafficTotals();
  const since = new TrafficSince();
  const [before, after] = [counter(), counter()];
  before.count(4);
  totals.add(take(since, before.live));
  after.count(1);
  totals.add(take(since, after.live));
  assert.equal(totals.read()[0]?.requests, 5);
});

test("of releases that left the table the oldest are forgotten, and none that is in it", () => {
  const totals = new TrafficTotals();
  totals.add(Array.from({ length: 1_500 }, (_, i) => counted(1, i)));
  totals.prune(({ release }) => release === 0);
  const releases = totals.read().map(({ release }) => release);
  assert.equal(releases.length, 1_001);
  assert.deepEqual([releases[0], releases[1], releases.at(-1)], [0, 500, 1_499]);
});
