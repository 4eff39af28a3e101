import assert from "node:assert/strict";
import { test } from "node:test";
import type { CheckId } from "#model/names.ts";
import { describeReason } from "./reasons.ts";

const recovered = (...checks: readonly string[]) => describeReason({ kind: "recovered", checks: checks as readonly CheckId[] });

test("three checks are named, and of more the others are counted", () => {
  assert.equal(recovered("a", "b", "c"), "a, b, c recovered by itself");
  assert.equal(recovered("a", "b", "c", "d", "e"), "a, b, c and 2 more recovered by itself");
});

test("the begin and the end of a dry run are told apart", () => {
  assert.equal(describeReason({ kind: "mode-changed", isDryRun: true }), "the space became a dry run");
  assert.equal(describeReason({ kind: "mode-changed", isDryRun: false }), "the dry run ended");
});
