import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { sameData } from "./same-data.ts";

test("two values are the same where their JSON, with sorted keys, is", () => {
  const values = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
  fc.assert(
    fc.property(values, values, (a, b) => {
      assert.equal(sameData(a, b), isDeepStrictEqual(a, b));
      assert.ok(sameData(a, structuredClone(a)));
    }),
  );
  assert.ok(sameData({ a: 1, b: [{ c: null }] }, { b: [{ c: null }], a: 1 }));
  for (const [a, b] of [
    [{ a: 1 }, { a: 1, b: 2 }],
    [{ a: 1, b: 2 }, { a: 1 }],
    [{ a: null }, {}],
    [{}, []],
    [[1], [1, 2]],
    ["1", 1],
    [{ toString: 1 }, { x: 1 }],
  ])
    assert.ok(!sameData(a, b), JSON.stringify([a, b]));
});
