import assert from "node:assert/strict";
import { test } from "node:test";
import { differences } from "./release-differences.ts";

const one = { artifact: "a1", processes: { web: "node web.js" }, env: { MODE: "old", GONE: "1" }, secrets: ["KEY"] };

test("a release differs by its artifact, its commands, its environment and the names of its secrets", () => {
  const two = {
    artifact: "a2",
    processes: { web: "node web.js", worker: "node worker.js" },
    env: { MODE: "new", constructor: "x" },
    secrets: [],
  };
  assert.deepEqual(differences(one, two), [
    { what: "artifact", from: "a1", to: "a2" },
    { what: "process worker", from: null, to: "node worker.js" },
    { what: "env GONE", from: "1", to: null },
    { what: "env MODE", from: "old", to: "new" },
    { what: "env constructor", from: null, to: "x" },
    { what: "secret KEY", from: "(given)", to: null },
  ]);
});

test("a release does not differ from itself", () => {
  assert.deepEqual(differences(one, one), []);
});
