import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppMetric } from "#model/app-metrics.ts";
import { ownedLabels } from "./app-metrics.ts";
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
