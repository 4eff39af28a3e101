import assert from "node:assert/strict";
import { test } from "node:test";
import type { MachineId, PoolName, SpaceName } from "#model/names.ts";
import type { PoolRules } from "#model/pool.ts";
import { planPools } from "./plan-pools.ts";
import { comingMs, type PoolInput, type PoolMachine } from "./pool.ts";
import type { Shortage } from "./shortage.ts";

const minute = 60_000;
const nowMs = 100 * minute;
const rules: PoolRules = { min: 1, max: 10, waitMs: minute, busyShare: 0.9, busyMs: 5 * minute, idleMs: 20 * minute, grow: "auto" };
const [a, b] = ["a" as PoolName, "b" as PoolName];
const both = new Set([a, b]);

const machine = (name: string, more: Partial<PoolMachine> = {}): PoolMachine => ({
  ...{ name: name as MachineId, state: "kept", sinceMs: 0, idleSinceMs: null, keptBy: null, isAbsent: false, trouble: null },
  room: { cores: 4, memoryBytes: 2 ** 33, freeCores: 0, freeMemoryBytes: 2 ** 33, instances: 4, isOpen: true },
  ...more,
});
const pool = (name: PoolName, more: Partial<PoolInput> = {}): PoolInput => ({
  ...{ space: "default" as SpaceName, name, rules, machines: [machine(`${name}-1`)], given: null, isMended: true },
  ...{ busySinceMs: null, heldBy: null, addedAtMs: [], changedAtMs: null, nowMs, ...more },
});
const waiting = (instances: number, more: Partial<Shortage> = {}): Shortage => ({
  ...{ name: "shop.web", instances, cores: 1, memoryBytes: 0, sinceMs: nowMs - 3 * minute, pools: both, ...more },
});
const didOf = (pools: readonly PoolInput[], ...shortages: readonly Shortage[]) =>
  Object.fromEntries(
    [...planPools(pools, shortages)].map(([name, { actions, need }]) => [
      name,
      actions[0]?.kind === "add" ? actions[0].machines.join(" ") : (actions[0]?.kind ?? need?.words ?? ""),
    ]),
  );
const coming = (name: string, forMs = minute) => machine(name, { state: "coming", room: null, sinceMs: nowMs - forMs });

test("of two pools that could grow for the same instances one does, and the other says which", () => {
  assert.deepEqual(didOf([pool(a), pool(b)], waiting(4)), { a: "a-2", b: "" });
  assert.match(
    planPools([pool(a), pool(b)], [waiting(4)]).get(b)?.why ?? "",
    /4 instances of shop.web have waited 3 min; a-2 is on the way/,
  );
});

test("what one pool already grows for, the other does not, and the rest is shared", () => {
  const growing = pool(b, { machines: [machine("b-1"), coming("b-2")] });
  assert.deepEqual(didOf([pool(a), growing], waiting(4)), { a: "", b: "" });
  assert.deepEqual(didOf([pool(a), growing], waiting(5)), { a: "a-2", b: "" });
  // Each may at most double at once: two of the three that are missing come now.
  assert.deepEqual(didOf([pool(a), pool(b)], waiting(12)), { a: "a-2", b: "b-2" });
});

test("room that another pool has made a moment ago counts", () => {
  const roomy = machine("b-2", {
    room: { cores: 4, memoryBytes: 2 ** 33, freeCores: 4, freeMemoryBytes: 2 ** 33, instances: 0, isOpen: true },
  });
  assert.deepEqual(didOf([pool(a), pool(b, { machines: [machine("b-1"), roomy] })], waiting(4)), { a: "", b: "" });
});

test("a pool that cannot act leaves it to the one that can, and people are asked only when none can, once", () => {
  const asking = pool(a, { rules: { ...rules, grow: "ask" } });
  assert.deepEqual(didOf([asking, pool(b)], waiting(4)), { a: "", b: "b-2" });
  assert.deepEqual(didOf([pool(a, { heldBy: "pool/a is paused" }), pool(b)], waiting(4)), { a: "", b: "b-2" });
  const full = pool(b, { rules: { ...rules, max: 1 } });
  assert.deepEqual(didOf([asking, full], waiting(7)), {
    a: "add 2 machines of 4 CPU to pool a: 7 instances of shop.web have waited 3 min",
    b: "",
  });
});

test("a machine that was to come and has not, keeps no other pool from growing", () => {
  const late = pool(a, { machines: [machine("a-1"), coming("a-2", comingMs)] });
  assert.deepEqual(didOf([late, pool(b)], waiting(4)), { a: "", b: "b-2" });
});

test("what asks for one pool is not given by another", () => {
  assert.deepEqual(didOf([pool(a), pool(b)], waiting(4, { pools: new Set([b]) })), { a: "", b: "b-2" });
});

test("a machine of unknown size that is on its way is waited for by all", () => {
  const first = pool(a, { machines: [coming("a-1")] });
  assert.deepEqual(didOf([first, pool(b)], waiting(40)), { a: "", b: "" });
});
