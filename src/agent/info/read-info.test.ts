import assert from "node:assert/strict";
import { test } from "node:test";
import { readInfo } from "./read-info.ts";

test("what an app says of its version is found under the names in use", () => {
  assert.deepEqual(readInfo('{"version":"1.4.2","commit":"abc","built":"today","nested":{"a":1}}'), {
    version: "1.4.2",
    commit: "abc",
    more: { built: "today" },
  });
  assert.deepEqual(readInfo('{"build":{"version":"3.1"},"git":{"commit":{"id":"f00"}}}'), { version: "3.1", commit: "f00", more: {} });
  assert.deepEqual(readInfo('{"version":7}'), { version: "7", commit: null, more: {} });
});

test("what is no JSON object says nothing, and what is too much is cut", () => {
  for (const text of ["", "hello", "[1]", "null", '"1.0"', "{"]) assert.equal(readInfo(text), null, text);
  const many = readInfo(
    JSON.stringify({ version: "x".repeat(10_000), ...Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, i])) }),
  );
  assert.equal(many?.version?.length, 200);
  assert.equal(Object.keys(many?.more ?? {}).length, 12);
});
