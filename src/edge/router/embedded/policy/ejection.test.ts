import assert from "node:assert/strict";
import { test } from "node:test";
import { choose, type LiveTarget } from "../choice.ts";
import type { Endpoint } from "../endpoint.ts";
import { judge } from "./ejection.ts";

/** What choosing and judging look at of an endpoint. */
const fake = (more: Partial<Endpoint> = {}) =>
  ({ failures: 0, ejections: 0, ejectedUntilMs: 0, joinedMs: 0, warmMs: 0, open: 0, ...more }) as unknown as Endpoint;
const targetOf = (...endpoints: Endpoint[]) => [{ release: 1, weight: 1, endpoints }] as unknown as readonly LiveTarget[];

function fail(endpoint: Endpoint, targets: readonly LiveTarget[], nowMs: number, times = 5): void {
  for (let i = 0; i < times; i++) judge(endpoint, true, targets, nowMs);
}

test("a run of failures takes an instance out for a while, longer each time; one good answer ends the run", () => {
  const [a, b] = [fake(), fake()];
  const targets = targetOf(a, b);
  fail(a, targets, 0, 4);
  judge(a, false, targets, 0);
  fail(a, targets, 0, 4);
  assert.equal(a.ejectedUntilMs, 0);
  fail(a, targets, 0, 1);
  assert.equal(a.ejectedUntilMs, 5_000);
  fail(a, targets, 6_000);
  assert.equal(a.ejectedUntilMs, 16_000);
  judge(a, false, targets, 30_000);
  fail(a, targets, 30_000);
  assert.equal(a.ejectedUntilMs, 35_000, "after it has served well it starts from the shortest again");
});

test("never are more than half of a route's instances out, and never the only one", () => {
  const all = [fake(), fake(), fake(), fake(), fake()];
  const targets = targetOf(...all);
  for (const endpoint of all) fail(endpoint, targets, 0);
  assert.equal(all.filter(({ ejectedUntilMs }) => ejectedUntilMs > 0).length, 2);
  const only = fake();
  fail(only, targetOf(only), 0, 50);
  assert.equal(only.ejectedUntilMs, 0);
});

test("an instance that joins gets its share little by little", () => {
  const cold = fake({ joinedMs: 0, warmMs: 10_000 });
  const targets = targetOf(fake(), cold);
  let seed = 1;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const shareAt = (nowMs: number) => {
    let count = 0;
    for (let i = 0; i < 4_000; i++) if (choose({ targets, tried: [], random, nowMs })?.endpoint === cold) count++;
    return count / 4_000;
  };
  const [early, middle, late] = [shareAt(500), shareAt(5_000), shareAt(10_000)];
  assert.ok(early < 0.08 && middle > 0.15 && middle < 0.35 && late > 0.45, `${early} ${middle} ${late}`);
});
