import assert from "node:assert/strict";
import { test } from "node:test";
import type { RouteTrafficView, RouteView } from "#model/api-routes.ts";
import { compareLooks } from "./route-rates.ts";

const traffic = (requests: number, errors: number): RouteTrafficView => ({
  requests,
  errors,
  bytesIn: 0,
  bytesOut: 0,
  p50Ms: 1,
  p99Ms: 1,
  classes: [],
});

/** A route with what each release got. */
function route(id: string, all: RouteTrafficView, releases: Readonly<Record<number, RouteTrafficView>>): RouteView {
  const targets = Object.entries(releases).map(([release, counted]) => ({
    release: Number(release),
    share: 0.5,
    endpoints: [],
    traffic: counted,
  }));
  return { id, kind: "http", targets, traffic: all } as unknown as RouteView;
}

test("what each release got since the look before is what it gets each second, over all routes", () => {
  const before = [route("a", traffic(100, 0), { 1: traffic(90, 0), 2: traffic(10, 0) }), route("b", traffic(10, 0), { 1: traffic(10, 0) })];
  const now = [route("a", traffic(140, 5), { 1: traffic(110, 0), 2: traffic(30, 5) }), route("b", traffic(20, 0), { 1: traffic(20, 0) })];
  const { byRoute, byRelease } = compareLooks({ routes: before, atMs: 0 }, { routes: now, atMs: 2_000 });
  assert.deepEqual(Object.fromEntries(byRelease), {
    1: { requests: 15, errorShare: 0 },
    2: { requests: 10, errorShare: 0.25 },
  });
  assert.deepEqual(byRoute.get("a"), { requests: 20, errorShare: 0.125 });
});

test("an edge that was replaced counts from zero, and one look alone says nothing", () => {
  const one = { routes: [route("a", traffic(100, 9), { 1: traffic(100, 9) })], atMs: 0 };
  const two = { routes: [route("a", traffic(4, 1), { 1: traffic(4, 1) })], atMs: 1_000 };
  assert.deepEqual(compareLooks(one, two).byRelease.get(1), { requests: 4, errorShare: 0.25 });
  assert.equal(compareLooks(null, one).byRelease.size, 0);
});
