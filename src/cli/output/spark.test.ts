import assert from "node:assert/strict";
import { test } from "node:test";
import { spark } from "./spark.ts";

test("a line goes from nothing to its highest point, with gaps where nothing is known", () => {
  assert.equal(spark([0, 7, null, 14, 7], 10), "▁▅ █▅");
  assert.equal(spark([3, 3, 3], 10), "███");
  assert.equal(spark([0, 0], 10), "▁▁");
  assert.equal(spark([-7, 0, 7], 10), "▁▅█");
});

test("more points than columns are averaged", () => {
  assert.equal(spark([0, 0, 4, 4, 8, 8], 3), "▁▅█");
  assert.equal(spark([], 3), "");
});
