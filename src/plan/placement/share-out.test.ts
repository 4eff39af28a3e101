import assert from "node:assert/strict";
import { test } from "node:test";
import type { MachineId } from "#model/names.ts";
import { type Part, shareOut } from "./share-out.ts";

const part = (machine: string, count: number, more: Partial<Part> = {}): Part => ({
  machine: machine as MachineId,
  count,
  ready: count,
  revision: 1,
  isReachable: true,
  leaving: 0,
  ...more,
});
const shares = (total: number, parts: readonly Part[], room = 1) => {
  const beside = new Map(parts.map(({ machine, count }) => [machine, count]));
  const { keep, more } = shareOut({ parts, total, room, beside });
  return { ...Object.fromEntries(keep), more };
};

test("what runs stays where it runs, and what is missing is to be placed", () => {
  assert.deepEqual(shares(5, [part("m1", 2), part("m2", 1)]), { m1: 2, m2: 1, more: 2 });
});

test("what is too much goes where there is most", () => {
  assert.deepEqual(shares(3, [part("m1", 3), part("m2", 1)]), { m1: 2, m2: 1, more: 0 });
});

test("what is not ready goes before what is, even where there is less", () => {
  assert.deepEqual(shares(3, [part("m1", 3), part("m2", 1, { ready: 0 })]), { m1: 3, m2: 0, more: 0 });
});

test("among equals the older order goes: a machine that comes back finds its work done by others", () => {
  assert.deepEqual(shares(1, [part("m1", 1, { revision: 9 }), part("m2", 1, { revision: 4 })]), { m1: 1, m2: 0, more: 0 });
});

test("a machine that cannot be asked is not told to stop anything", () => {
  assert.deepEqual(shares(1, [part("m1", 1), part("m2", 2, { isReachable: false, ready: 0 })]), { m1: 0, m2: 2, more: 0 });
});

test("what drains is replaced as far as there is room before any of it goes", () => {
  const draining = { leaving: 9 };
  assert.deepEqual(shares(2, [part("m1", 2, draining)]), { m1: 2, more: 1 });
  assert.deepEqual(shares(2, [part("m1", 2, draining), part("m2", 1, { ready: 0 })], 0), { m1: 2, m2: 1, more: 0 });
  assert.deepEqual(shares(2, [part("m1", 2, draining), part("m2", 1)], 0), { m1: 1, m2: 1, more: 0 });
  assert.deepEqual(shares(2, [part("m1", 1, draining), part("m2", 1)], 1), { m1: 1, m2: 1, more: 1 });
  assert.deepEqual(shares(2, [part("m1", 1, draining), part("m2", 2)], 0), { m1: 0, m2: 2, more: 0 });
});

test("fewer instances go from the machine that drains first", () => {
  assert.deepEqual(shares(1, [part("m1", 2, { leaving: 9 }), part("m2", 1)]), { m1: 0, m2: 1, more: 0 });
});
