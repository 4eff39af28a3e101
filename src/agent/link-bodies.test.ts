import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogQuery } from "#model/workload.ts";
import { workload } from "./engines/testing/workload.ts";
import { readLogQuery, readWorkload } from "./link-bodies.ts";

const full = workload("serve", {
  artifact: `sha256:${"0".repeat(64)}` as never,
  env: { A: "1" },
  secrets: { B: "" },
  port: 8_080,
  ready: { target: { kind: "http", path: "/" }, everyMs: 1_000, timeoutMs: 1_000, failures: 1 },
  alive: { target: { kind: "command", run: "true" }, everyMs: 1_000, timeoutMs: 1_000, failures: 3 },
  resources: { cpu: 0.5, memoryBytes: 2 ** 20, pids: 10 },
  volumes: ["data"],
});
const query: LogQuery = { prefix: "s/a/", instance: null, tail: 10, sinceMs: null, follow: false, contains: null };

test("an order is taken as it was sent, also with a key of a newer server", () => {
  assert.equal(readWorkload(full), full);
  const newer = { ...full, color: "blue" };
  assert.equal(readWorkload(newer), newer);
  readWorkload({ ...full, id: "s/a/_before/1", kind: "task", timeoutMs: 1_000, command: { argv: ["true"] } });
});

const wrong: readonly (readonly [what: string, body: unknown])[] = [
  ["no object", []],
  ["nothing", null],
  ...Object.keys(full).map((key) => [`no ${key}`, Object.fromEntries(Object.entries(full).filter(([name]) => name !== key))] as const),
  ...["../a/web/1", "s/../web/1", "s/a/../1", "s/a/web/../1", "s/a/web/1/..", "/a/web/1", "s/a/web/x", "s/a/_after/1", "s/A/web/1"].map(
    (id) => [`the id ${id}`, { ...full, id }] as const,
  ),
  ["a volume outside", { ...full, volumes: ["../../etc"] }],
  ["a zero byte in the command", { ...full, command: { shell: "a\0b" } }],
  ["a command that is text", { ...full, command: "a" }],
  ["a variable with = in its name", { ...full, env: { "A=B": "1" } }],
  ["a variable that is a number", { ...full, env: { A: 1 } }],
  ["a port out of range", { ...full, port: 65_536 }],
  ["half an instance", { ...full, count: 0.5 }],
  ["a signal that nobody may send", { ...full, stop: { ...full.stop, signal: "SIGKILL" } }],
  ["a probe of an unknown kind", { ...full, ready: { ...full.ready, target: { kind: "icmp" } } }],
  ["an artifact that is a path", { ...full, artifact: "../x" }],
];
for (const [what, body] of wrong) {
  test(`an order with ${what} is refused`, () => assert.throws(() => readWorkload(body), { code: "REQUEST_INVALID" }));
}

test("a query for logs is bounded and has all its parts", () => {
  assert.equal(readLogQuery(query), query);
  for (const more of [{ tail: 10_001 }, { tail: -1 }, { follow: "yes" }, { prefix: null }, { sinceMs: Number.NaN }, { contains: 1 }])
    assert.throws(() => readLogQuery({ ...query, ...more }), { code: "REQUEST_INVALID" }, JSON.stringify(more));
});
