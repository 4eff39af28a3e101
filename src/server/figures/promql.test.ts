import assert from "node:assert/strict";
import { test } from "node:test";
import { type PromqlQuestion, promqlOf, selector } from "./promql.ts";

const usual: PromqlQuestion = {
  name: "x_total",
  matches: [{ label: "app", isEqual: true, value: 'w"b\\' }],
  spaces: null,
  fn: "rate",
  aggregate: null,
  by: [],
  quantile: 0.95,
  stepMs: 300_000,
};
const where = '{app="w\\"b\\\\"}';

const rows: readonly (readonly [sentence: string, more: Partial<PromqlQuestion>, expression: string])[] = [
  ["a rate is over its step", {}, `rate(x_total${where}[300s])`],
  ["and over two minutes at least", { stepMs: 15_000 }, `rate(x_total${where}[120s])`],
  ["what it grew by is of the step alone", { fn: "increase", stepMs: 15_000 }, `increase(x_total${where}[15s])`],
  ["a gauge is over its step", { fn: "max" }, `max_over_time(x_total${where}[300s])`],
  [
    "series become one for each group",
    { aggregate: "sum", by: ["release", "class"] },
    `sum by (release, class) (rate(x_total${where}[300s]))`,
  ],
  ["or all of them one", { aggregate: "avg" }, `avg (rate(x_total${where}[300s]))`],
  ["a quantile is of buckets", { name: "t", fn: "quantile" }, `histogram_quantile(0.95, rate(t_bucket${where}[300s]))`],
  [
    "and of their sums for each group",
    { name: "t", fn: "quantile", aggregate: "sum", by: ["route"] },
    `histogram_quantile(0.95, sum by (le, route) (rate(t_bucket${where}[300s])))`,
  ],
];
for (const [sentence, more, expression] of rows) test(sentence, () => assert.equal(promqlOf({ ...usual, ...more }), expression));

test("spaces that may not be told are not asked for, and of what is of no space only Drover's own is", () => {
  assert.equal(selector("drover_x", [], ["shop", "blog"]), 'drover_x{space=~"|shop|blog"}');
  assert.equal(selector("node_x", [], ["shop", "blog"]), 'node_x{space=~"shop|blog",space!=""}');
  assert.equal(selector(null, [], []), '{space=~"",space!=""}');
  assert.equal(selector("drover_problems", [], []), 'drover_problems{space=~"",code=""}');
});
