import assert from "node:assert/strict";
import { test } from "node:test";
import type { MachineId } from "#model/names.ts";
import { type MachineRoom, planPlacement } from "./plan-placement.ts";

const m1: MachineRoom = { id: "m1" as MachineId, cores: 2, memoryBytes: 4 * 2 ** 30, freeCores: 1.5, freeMemoryBytes: 2 ** 30 };
const m2: MachineRoom = { ...m1, id: "m2" as MachineId, freeCores: 1, freeMemoryBytes: 2 ** 29 };
const none = { cpu: null, memoryBytes: null, pids: 512 };

test("what states no need fits anywhere, any number of times", () => {
  assert.deepEqual(planPlacement([{ name: "web", more: 500, resources: none }], [m1]), [
    { name: "web", fitting: 500, problem: null, neverFits: false },
  ]);
});

test("what does not fit says what it needs and what each machine has", () => {
  const [placed] = planPlacement([{ name: "web", more: 1, resources: { ...none, cpu: 1.75 } }], [m1]);
  assert.deepEqual(placed, {
    name: "web",
    fitting: 0,
    problem: "web needs 1.75 CPU; 1 machine looked at, 1.5 CPU free on m1",
    neverFits: false,
  });
});

test("what no empty machine could hold never fits", () => {
  const [placed] = planPlacement([{ name: "web", more: 1, resources: { ...none, memoryBytes: 8 * 2 ** 30 } }], [m1, m2]);
  assert.equal(placed?.neverFits, true);
  assert.equal(placed?.problem, "web needs 8GiB of memory; 2 machines looked at, 1GiB of memory free on m1, 512MiB of memory free on m2");
});

test("as many are placed as fit, over all machines, and earlier requests come first", () => {
  const request = (name: string, more: number) => ({ name, more, resources: { ...none, cpu: 0.5 } });
  const placed = planPlacement([request("web", 4), request("worker", 2)], [m1, m2]);
  assert.deepEqual(
    placed.map(({ name, fitting }) => [name, fitting]),
    [
      ["web", 4],
      ["worker", 1],
    ],
  );
});

test("tenths of cores add up", () => {
  const [placed] = planPlacement([{ name: "web", more: 20, resources: { ...none, cpu: 0.1 } }], [{ ...m1, freeCores: 2 }]);
  assert.equal(placed?.fitting, 20);
});

test("without a machine nothing fits, but later it may", () => {
  const [placed] = planPlacement([{ name: "web", more: 1, resources: none }], []);
  assert.deepEqual([placed?.fitting, placed?.neverFits, placed?.problem], [0, false, "web needs a machine; 0 machines looked at"]);
});
