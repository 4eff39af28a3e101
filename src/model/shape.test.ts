import assert from "node:assert/strict";
import { test } from "node:test";
import { isListOf, isText } from "./shape.ts";

test("a list of texts is one, whatever place a text has in it", () => {
  assert.ok(isListOf(["shop.default.localhost", "b", "c"], (it) => isText(it)));
  assert.ok(isListOf(["shop.default.localhost", "b", "c"], isText));
  assert.ok(!isListOf(["a", 1], isText));
  assert.ok(!isListOf("a", isText));
});
