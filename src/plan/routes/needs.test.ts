import assert from "node:assert/strict";
import { test } from "node:test";
import type { Release } from "#model/app.ts";
import { app, release, workload } from "../testing/planner-world.ts";
import { planNeeds } from "./needs.ts";

function needing(number: number, needs: Readonly<Record<string, number>>): readonly [number, Release] {
  const made = release(number, "active");
  const addresses = Object.entries(needs).map(([name, port]) => [name, { port, protocol: "http" as const }]);
  return [number, { ...made, spec: { ...made.spec, needs: Object.fromEntries(addresses) } }];
}

const releases = new Map([needing(1, { db: 1 }), needing(2, { db: 1, mail: 2 }), needing(3, { old: 3 })]);
const needs = (more: Partial<Parameters<typeof planNeeds>[0]>) =>
  planNeeds({ app: app(), releases, observed: [], ...more }).map((need) => `${need.app}:${need.port}`);

test("an app needs what its wanted and its serving release need, each once", () => assert.deepEqual(needs({}), ["s/db:1", "s/mail:2"]));

test("what an old release needs stays as long as something of it runs", () => {
  assert.deepEqual(needs({ app: app({ active: 2 }), observed: [workload(3, { draining: 1 })] }), ["s/db:1", "s/mail:2", "s/old:3"]);
});

test("a stopped app goes on needing, a destroyed one as long as it runs", () => {
  assert.deepEqual(needs({ app: app({ stopped: true }) }), ["s/db:1", "s/mail:2"]);
  assert.deepEqual(needs({ app: app({ destroying: true }), observed: [workload(1, { stopping: 1 })] }), ["s/db:1"]);
  assert.deepEqual(needs({ app: app({ destroying: true }) }), []);
});
