import assert from "node:assert/strict";
import { test } from "node:test";
import schema from "../../../../docs/manifest.schema.json" with { type: "json" };
import { keysAt, pathAtEnd, type Schema, valuesAt } from "./schema-keys.ts";

const names = (path: readonly string[]) => keysAt(schema as Schema, path).map(({ name }) => name);

test("a place in a manifest is known by indentation", () => {
  for (const [text, path] of [
    ["", []],
    ["app: web\nde", []],
    ["app: web\ndeploy:\n  ", ["deploy"]],
    ["app: web\nprocesses:\n  web:\n    ready:\n      ht", ["processes", "web", "ready"]],
    ["routes:\n  - host: a\n    pa", ["routes", "-"]],
    ["routes:\n- host: a\n  pa", ["routes", "-"]],
    ["routes:\n  - ", ["routes", "-"]],
    ["a:\n  b:\n    c: 1\n  ", ["a"]],
    ["app: one\ndeploy:\n  x: 1\n---\n", []],
    ["env:\n  # a: note\n  ", ["env"]],
  ] as const)
    assert.deepEqual(pathAtEnd(text), path, JSON.stringify(text));
});

test("the schema says which keys and values may stand there", () => {
  assert.ok(names([]).includes("processes") && names([]).includes("domain"), "of apps and of spaces");
  assert.ok(names(["processes", "web", "ready"]).includes("http"), "below names of somebody's own");
  assert.ok(names(["routes", "-"]).includes("host"), "in items of lists");
  assert.deepEqual(names(["nothing", "here"]), []);
  assert.ok(valuesAt(schema as Schema, ["deploy", "strategy"]).length > 1);
  assert.deepEqual(names(["constructor"]), []);
});
