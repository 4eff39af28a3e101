import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppMetric } from "#model/app-metrics.ts";
import type { MachineId } from "#model/names.ts";
import { createIdleControlPlane } from "../api/testing/idle-control-plane.ts";
import type { RouteTraffic } from "../control-plane.ts";
import type { Store } from "../store/store.ts";
import type { Traffic } from "../view/routes-view.ts";
import { ownedLabels, type ToldMetrics } from "./app-metrics.ts";
import { collectMetrics, type Heard } from "./collect.ts";
import { Exposition } from "./exposition.ts";
import { Moment } from "./moment.ts";

const own = { space: "shop", app: "web" };
const metric = (name: string, type: AppMetric["type"], ...samples: AppMetric["samples"]): AppMetric => ({ name, type, help: "", samples });

test("labels that say whose a figure is cannot be set by the app", () => {
  assert.deepEqual(ownedLabels({ app: "billing", kind: "a" }, own), { space: "shop", app: "web", exported_app: "billing", kind: "a" });
});

test("what apps mean differently by one name is told without a type", () => {
  const told = new Exposition();
  told.ofApp(metric("orders", "counter", ["orders", { n: "1" }, 2]), own);
  told.ofApp(metric("orders", "gauge", ["orders", {}, 3]), { ...own, app: "api" });
  assert.deepEqual([...told.pieces()].join("").split("\n"), [
    "# TYPE orders untyped",
    'orders{space="shop",app="web",n="1"} 2',
    'orders{space="shop",app="api"} 3',
    "",
  ]);
});

test("what only grows is followed as a counter", () => {
  const moment = new Moment();
  moment.ofApp(metric("a", "counter", ["a", {}, 1]), own);
  moment.ofApp(metric("b", "histogram", ["b_bucket", { le: "1" }, 1], ["b_sum", {}, 1]), own);
  moment.ofApp(metric("c", "summary", ["c", { quantile: "0.5" }, 1], ["c_count", {}, 1]), own);
  moment.ofApp(metric("d_total", "untyped", ["d_total", {}, 1]), own);
  moment.ofApp(metric("e", "untyped", ["e", {}, 1]), own);
  assert.deepEqual(
    moment.samples.map(({ name, kind }) => `${name} ${kind}`),
    ["a counter", "b_bucket counter", "b_sum counter", "c gauge", "c_count counter", "d_total counter", "e gauge"],
  );
});

test("what was not told the last time by who told all that it had stood at zero then", async () => {
  const route = { space: "shop", app: "web", process: "web", place: "a" };
  const counted = (release: number) => ({
    ...{ route: "r1", release, requests: 4, errors: 4, bytesIn: 0, bytesOut: 0, latency: [4], classes: [0, 0, 0, 0, 4] },
  });
  const of = (machine: string, release: number) => ({ machine, route, counted: counted(release) }) as unknown as RouteTraffic;
  const instance = { id: "i1", space: "shop", app: "web", process: "web", release: 1, machine: "m1" };
  const told = (...names: string[]): ToldMetrics => ({
    ...{ instance, why: null, statsdLeftOut: null },
    isAsked: true,
    metrics: names.map((name) => metric(name, "counter", [name, {}, 5])),
  });
  const collect = async (traffic: Traffic, ofApps: readonly ToldMetrics[], before: Heard | null) => {
    const moment = new Moment();
    const store = { revision: 1, list: () => [] } as unknown as Store;
    const controlPlane = { ...createIdleControlPlane(store), traffic: async () => traffic, appMetrics: async () => ofApps };
    const figures = { state: { series: 0, refused: 0, diskBytes: 0, oldestMs: null, damaged: [], failure: null } };
    const measured = { controlPlane, store, figures, version: "1", startedAtMs: 0, sees: () => true, before };
    const heard = await collectMetrics(measured, moment, new AbortController().signal);
    const zeros = moment.samples.filter(({ name, zeroAtMs }) => zeroAtMs === 7 && !name.includes("bucket") && !name.includes("bytes"));
    return { heard: { ...heard, atMs: 7 }, zeros: zeros.map(({ name, labels }) => `${name} ${labels["machine"]} ${labels["release"]}`) };
  };
  const answered = new Set(["m1"] as MachineId[]);
  const first = await collect({ answered, counted: [of("m1", 1)], left: [of("m1", 2)] }, [told("a")], null);
  assert.deepEqual(first.zeros, [], "nobody was asked before");
  const all = [of("m1", 1), of("m1", 2), of("m2", 1)];
  const back = await collect({ answered, counted: all, left: [] }, [told("a", "b")], first.heard);
  assert.deepEqual(back.zeros, ["a m1 1", "b m1 1"], "one that comes back counts on, and an edge that is new may have counted for long");
  const third = await collect({ answered, counted: [...all, of("m1", 3)], left: [] }, [], back.heard);
  assert.deepEqual(
    new Set(third.zeros),
    new Set(
      ["drover_route_requests_total m1 3", "drover_route_errors_total m1 3"].concat("drover_route_request_duration_seconds_count m1 3"),
    ),
  );
});

test("what an instance told before and was not asked again is no figure of this moment, but is told to whoever asks", async () => {
  const instance = { id: "i1", space: "shop", app: "web", process: "web", release: 1, machine: "m1" };
  const metrics = [{ ...metric("old", "gauge", ["old", {}, 1]), isKept: true as const }, metric("new", "gauge", ["new", {}, 2])];
  const told: ToldMetrics = { instance, metrics, why: null, isAsked: true, statsdLeftOut: null };
  const store = { revision: 1, list: () => [] } as unknown as Store;
  const controlPlane = { ...createIdleControlPlane(store), appMetrics: async () => [told] };
  const figures = { state: { series: 0, refused: 0, diskBytes: 0, oldestMs: null, damaged: [], failure: null } };
  const names = async (onlyNew: boolean) => {
    const moment = new Moment();
    const measured = { controlPlane, store, figures, version: "1", startedAtMs: 0, sees: () => true, onlyNew };
    await collectMetrics(measured, moment, new AbortController().signal);
    const theirs = moment.samples.filter(({ name }) => !name.startsWith("drover_") || name === "drover_scrape_series");
    return theirs.map(({ name, value }) => `${name} ${value}`);
  };
  assert.deepEqual(await names(true), ["drover_scrape_series 2", "new 2"]);
  assert.deepEqual(await names(false), ["drover_scrape_series 2", "old 1", "new 2"]);
});
