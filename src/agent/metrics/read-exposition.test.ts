import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readExposition } from "./read-exposition.ts";

test("metrics come with type, help and labels, and a histogram with its parts", () => {
  const { metrics, leftOut } = readExposition(`
# HELP orders_total Orders, by kind.
# TYPE orders_total counter
orders_total{kind="a\\"b\\\\c\\nd",x=""} 3 1700000000000
# an ordinary comment
queue_length 12.5
# TYPE took_seconds histogram
took_seconds_bucket{le="0.1",} 1
took_seconds_bucket{le="+Inf"} 2
took_seconds_sum 0.3
took_seconds_count 2
temperature -1e-3
room{n="1"} +Inf
`);
  assert.equal(leftOut, 0);
  assert.deepEqual(metrics, [
    { name: "orders_total", type: "counter", help: "Orders, by kind.", samples: [["orders_total", { kind: 'a"b\\c\nd', x: "" }, 3]] },
    { name: "queue_length", type: "untyped", help: "", samples: [["queue_length", {}, 12.5]] },
    {
      name: "took_seconds",
      type: "histogram",
      help: "",
      samples: [
        ["took_seconds_bucket", { le: "0.1" }, 1],
        ["took_seconds_bucket", { le: "+Inf" }, 2],
        ["took_seconds_sum", {}, 0.3],
        ["took_seconds_count", {}, 2],
      ],
    },
    { name: "temperature", type: "untyped", help: "", samples: [["temperature", {}, -0.001]] },
    { name: "room", type: "untyped", help: "", samples: [["room", { n: "1" }, Number.POSITIVE_INFINITY]] },
  ]);
});

test("what is none of the format, or no number, is left out and counted", () => {
  const text = ["<html>", "a b c", "x NaN", 'x{__name__="y"} 1', 'x{a="b} 1', "x{a=b} 1", `${"n".repeat(201)} 1`, "x 0x10 1 2", "1x 1"];
  const { metrics, leftOut } = readExposition(text.join("\n"));
  assert.deepEqual([metrics, leftOut], [[], text.length]);
});

test("lines as long as an answer are read once, whatever stands in them", () => {
  for (const line of [
    `# HELP ${"a".repeat(1_000_000)} x\rb`,
    `x ${"#".repeat(1_000_000)}\u2028b c\u2028d`,
    `x ${"1 ".repeat(500_000)}\u2028b`,
  ])
    assert.deepEqual(readExposition(line).metrics, []);
});

test("more series than one instance may tell are left out, whatever comes", () => {
  const { metrics, leftOut } = readExposition(Array.from({ length: 2_500 }, (_, i) => `x{n="${i}"} ${i}`).join("\n"));
  assert.deepEqual([metrics[0]?.samples.length, leftOut], [2_000, 500]);
  fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => void readExposition(text)));
});
