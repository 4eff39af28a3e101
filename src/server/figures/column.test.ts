import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { readColumn, writeColumn } from "./column.ts";

function written(values: readonly number[]): Buffer {
  const out = new ByteWriter();
  writeColumn(out, Float64Array.from(values));
  return out.take();
}

const readBack = (values: readonly number[]) => [...readColumn(new ByteReader(written(values)), values.length)];

test("any numbers, with any gaps, come back to twelve digits", () => {
  const numbers = fc.oneof(
    fc.constant(Number.NaN),
    fc.double({ noNaN: true }),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.integer().map((cents) => cents / 100),
    fc.constantFrom(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0),
  );
  fc.assert(
    fc.property(fc.array(numbers, { maxLength: 150 }), (values) => {
      for (const [i, value] of readBack(values).entries()) {
        const wanted = values[i] as number;
        const isSame = Object.is(value, wanted) || value === wanted || Math.abs(value - wanted) <= Math.abs(wanted) * 1e-12;
        assert.ok(isSame, `${value} for ${wanted}`);
      }
    }),
  );
});

test("a series that stays as it is takes nine bytes, and one that grows by little two a sample", () => {
  assert.equal(written(new Array(120).fill(2.34567)).length, 9);
  const grown = Array.from({ length: 120 }, (_, i) => 1_000_000 + 100 * i);
  assert.ok(written(grown).length <= 2 * 120 + 4);
});

test("hundredths that were added up are hundredths still", () => {
  let sum = 0;
  const values = Array.from({ length: 100 }, () => (sum += 0.01));
  assert.ok(written(values).length < 110);
});

test("bytes that end too soon are noticed", () => {
  const bytes = written([1, 5, 9, 2]);
  assert.throws(() => readColumn(new ByteReader(bytes.subarray(0, bytes.length - 1)), 4), RangeError);
});
