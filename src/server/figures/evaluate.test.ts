import assert from "node:assert/strict";
import { test } from "node:test";
import { Evaluation, type Question, quantileOf } from "./evaluate.ts";

const question: Question = { fn: "avg", aggregate: null, by: [], quantile: 0.5, fromMs: 60_000, toMs: 180_000, stepMs: 60_000 };

/** Answers of the series, each with its labels, given as samples `[seconds, value]`. */
function evaluate(asked: Partial<Question>, ...all: readonly (readonly [Record<string, string>, ...(readonly [number, number])[]])[]) {
  const evaluation = new Evaluation({ ...question, ...asked });
  for (const [labels, ...samples] of all) {
    const times = samples.map(([seconds]) => seconds * 1_000);
    const values = Float64Array.from(samples, ([, value]) => value);
    evaluation.add(JSON.stringify(labels), { name: "x", kind: "gauge", labels }, times, values);
  }
  return evaluation.results().map(({ labels, values }) => [labels, ...Array.from(values, (value) => (Number.isNaN(value) ? null : value))]);
}

test("each point says of the step that ends with it the average, the most, the least or the last of a gauge", () => {
  const samples = [{}, [15, 2], [60, 4], [61, 10], [120, 30]] as const;
  assert.deepEqual(evaluate({}, samples), [[{}, 3, 20, null]]);
  assert.deepEqual(evaluate({ fn: "max" }, samples), [[{}, 4, 30, null]]);
  assert.deepEqual(evaluate({ fn: "min" }, samples), [[{}, 2, 10, null]]);
  assert.deepEqual(evaluate({ fn: "last" }, samples), [[{}, 4, 30, null]]);
});

test("what a counter grew by is spread evenly between two samples, so that a missed one makes no spike", () => {
  assert.deepEqual(evaluate({ fn: "increase" }, [{}, [0, 100], [60, 160], [180, 400]]), [[{}, 60, 120, 120]]);
  assert.deepEqual(evaluate({ fn: "rate" }, [{}, [0, 100], [60, 160], [180, 400]]), [[{}, 1, 2, 2]]);
});

test("the rate of a step that is not over is that of its part which is known", () => {
  assert.deepEqual(evaluate({ fn: "rate" }, [{}, [30, 0], [60, 60], [135, 210]]), [[{}, 2, 2, 2]]);
});

test("a counter that fell was begun anew at zero", () => {
  assert.deepEqual(evaluate({ fn: "increase" }, [{}, [0, 1_000], [60, 1_006], [120, 5], [180, 8]]), [[{}, 6, 5, 3]]);
});

test("what a counter did while nobody looked for long is not made up", () => {
  const asked = { fn: "increase", fromMs: 60_000, toMs: 1_260_000, stepMs: 600_000 } as const;
  assert.deepEqual(evaluate(asked, [{}, [0, 10], [60, 20], [1_200, 900], [1_260, 901]]), [[{}, 10, null, 1]]);
});

test("samples of a clock that went back are left out", () => {
  assert.deepEqual(evaluate({ fn: "increase" }, [{}, [0, 0], [60, 6], [30, 3], [120, 9]]), [[{}, 6, 3, null]]);
});

test("series become one for each group, of those that say something at that point", () => {
  const all = [
    [{ app: "x", n: "1" }, [60, 1], [120, 5]],
    [{ app: "x", n: "2" }, [60, 3]],
    [{ app: "y", n: "1" }, [60, 10]],
  ] as const;
  const of = (aggregate: "sum" | "avg" | "max" | "min") => evaluate({ aggregate, by: ["app"] }, ...all);
  assert.deepEqual(of("sum"), [
    [{ app: "x" }, 4, 5, null],
    [{ app: "y" }, 10, null, null],
  ]);
  assert.deepEqual(of("avg")[0], [{ app: "x" }, 2, 5, null]);
  assert.deepEqual(of("max")[0], [{ app: "x" }, 3, 5, null]);
  assert.deepEqual(of("min")[0], [{ app: "x" }, 1, 5, null]);
  assert.deepEqual(evaluate({ aggregate: "sum" }, ...all), [[{}, 14, 5, null]]);
});

test("a quantile is found within its bucket, over all that share the labels", () => {
  const bucket = (le: string, app: string, count: number) => [{ app, le }, [0, 0], [60, count]] as const;
  const all = [bucket("0.1", "x", 5), bucket("0.2", "x", 10), bucket("+Inf", "x", 10), bucket("0.1", "y", 0), bucket("+Inf", "y", 4)];
  const rounded = (rows: ReturnType<typeof evaluate>) =>
    rows.map((row) => row.map((cell) => (typeof cell === "number" ? Number(cell.toFixed(3)) : cell)));
  assert.deepEqual(rounded(evaluate({ fn: "quantile", quantile: 0.75 }, ...all)), [
    [{ app: "x" }, 0.15, null, null],
    [{ app: "y" }, 0.1, null, null],
  ]);
  assert.equal(quantileOf([], 0.5), Number.NaN);
  assert.equal(quantileOf([{ bound: Number.POSITIVE_INFINITY, count: 3 }], 0.5), Number.NaN);
});
