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

test("differences of several workers add up to what they counted together", () => {
  const totals = new TrafficTotals();
  const [first, second] = [new TrafficSince(), new TrafficSince()];
  totals.add(first.take([counted(3)]));
  totals.add(second.take([counted(2)]));
  totals.add(first.take([counted(5)]));
  assert.deepEqual(first.take([counted(5)]), [], "nothing changed");
  assert.deepEqual(totals.read(), [{ ...counted(7), errors: 2, latency: [7, 0, 4] }]);
});

test("a counter that was forgotten and starts from nothing adds only what is new", () => {
  const totals = new TrafficTotals();
  const since = new TrafficSince();
  totals.add(since.take([counted(4)]));
  totals.add(since.take([]));
  totals.add(since.take([counted(1)]));
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
