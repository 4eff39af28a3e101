import assert from "node:assert/strict";
import { test } from "node:test";
import type { MachineId, PoolName } from "#model/names.ts";
import type { Resources } from "#model/workload.ts";
import { room } from "../testing/planner-world.ts";
import { anywhere, type MachineRoom, type PlacementRequest, type PlacementRules, planPlacement } from "./plan-placement.ts";

const m1: MachineRoom = room("m1" as MachineId, { cores: 2, memoryBytes: 4 * 2 ** 30, freeCores: 1.5, freeMemoryBytes: 2 ** 30 });
const m2: MachineRoom = { ...m1, id: "m2" as MachineId, freeCores: 1, freeMemoryBytes: 2 ** 29 };
const none = { cpu: null, memoryBytes: null, pids: 512 };
const wants = (
  name: string,
  more: number,
  resources: Resources = none,
  rules: Partial<PlacementRules> = {},
  beside: ReadonlyMap<MachineId, number> = new Map(),
): PlacementRequest => ({ name, more, resources, beside, rules: { ...anywhere, ...rules } });

test("what states no need fits anywhere, any number of times", () => {
  assert.deepEqual(planPlacement([wants("web", 500, none)], [m1]), [
    { name: "web", fitting: 500, on: new Map([["m1", 500]]), unplaced: null, neverFits: false },
  ]);
});

test("what does not fit says what it needs and what each machine has", () => {
  const [placed] = planPlacement([wants("web", 1, { ...none, cpu: 1.75 })], [m1]);
  assert.deepEqual(placed, {
    name: "web",
    fitting: 0,
    on: new Map(),
    unplaced: {
      name: "web",
      instances: 1,
      resources: { ...none, cpu: 1.75 },
      rules: anywhere,
      words: "web needs 1.75 CPU; 1 machine looked at, 1.5 CPU free on m1",
    },
    neverFits: false,
  });
});

test("what no empty machine could hold never fits", () => {
  const [placed] = planPlacement([wants("web", 1, { ...none, memoryBytes: 8 * 2 ** 30 })], [m1, m2]);
  assert.equal(placed?.neverFits, true);
  assert.equal(
    placed?.unplaced?.words,
    "web needs 8GiB of memory; 2 machines looked at, 1GiB of memory free on m1, 512MiB of memory free on m2",
  );
});

test("as many are placed as fit, over all machines, and earlier requests come first", () => {
  const request = (name: string, more: number) => wants(name, more, { ...none, cpu: 0.5 });
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
  const [placed] = planPlacement([wants("web", 20, { ...none, cpu: 0.1 })], [{ ...m1, freeCores: 2 }]);
  assert.equal(placed?.fitting, 20);
});

test("without a machine nothing fits, but later it may", () => {
  const [placed] = planPlacement([wants("web", 1, none)], []);
  assert.deepEqual([placed?.fitting, placed?.neverFits, placed?.unplaced?.words], [0, false, "web needs a machine; 0 machines looked at"]);
});

const id = (name: string) => name as MachineId;
const onOf = (requests: readonly PlacementRequest[], machines: readonly MachineRoom[]) =>
  planPlacement(requests, machines).map(({ on }) => Object.fromEntries(on));
const three = ["m1", "m2", "m3"].map((name) => room(id(name)));

test("instances spread over machines, beginning where there are fewest of their kind", () => {
  assert.deepEqual(onOf([wants("web", 4, none, {}, new Map([[id("m1"), 2]]))], three), [{ m2: 2, m3: 2 }]);
});

test("among equals the machine with the fewest instances of all is taken", () => {
  const busy = three.map((machine, i) => ({ ...machine, instances: [5, 3, 4][i] ?? 0 }));
  assert.deepEqual(onOf([wants("web", 1)], busy), [{ m2: 1 }]);
});

test("a label is spread over before its machines are", () => {
  const zoned = ["a", "a", "a", "b"].map((zone, i) => room(id(`m${i + 1}`), { labels: { zone } }));
  assert.deepEqual(onOf([wants("web", 4, none, { spread: "zone" })], zoned), [{ m1: 1, m4: 2, m2: 1 }]);
});

test("what is asked for by label goes to machines that have it alone, and the refusal counts the others", () => {
  const zoned = [room(id("m1"), { labels: { disk: "ssd" } }), room(id("m2"))];
  assert.deepEqual(onOf([wants("web", 2, none, { labels: { disk: "ssd" } })], zoned), [{ m1: 2 }]);
  const [placed] = planPlacement([wants("web", 1, none, { labels: { disk: "tape" } })], zoned);
  assert.equal(placed?.unplaced?.words, "web needs a machine; 2 machines looked at, m1, m2 have no label disk=tape");
});

test("of many machines without a label their number is said, and what those with it have", () => {
  const rules = { labels: { disk: "ssd", zone: "a" } };
  const ssd = [1, 2].map((i) => room(id(`m${i}`), { labels: { disk: "ssd", zone: "a" }, cores: 2, freeCores: i / 2 }));
  const others = [3, 4, 5, 6].map((i) => room(id(`m${i}`), { labels: { zone: "a" } }));
  const [placed] = planPlacement([wants("web", 1, { ...none, cpu: 2 }, rules)], [...ssd, ...others]);
  assert.equal(
    placed?.unplaced?.words,
    "web needs 2 CPU; 6 machines looked at, 4 of them have no label disk=ssd, 0.5 CPU free on m1, 1 CPU free on m2",
  );
});

test("what is to run on a pool's machines goes to these alone", () => {
  const machines = ["web-1", "web-2", "web-x", "db-1"].map((name) => room(id(name)));
  assert.deepEqual(onOf([wants("web", 4, none, { pool: "web" as PoolName })], machines), [{ "web-1": 2, "web-2": 2 }]);
  const [placed] = planPlacement([wants("web", 1, none, { pool: "gpu" as PoolName })], machines);
  assert.equal(placed?.unplaced?.words, "web needs a machine; 4 machines looked at, 4 of them are not of pool gpu");
});

test("a cordoned machine takes nothing new, and says so", () => {
  const cordoned = [room(id("m1"), { isCordoned: true }), room(id("m2"))];
  assert.deepEqual(onOf([wants("web", 2)], cordoned), [{ m2: 2 }]);
  const [placed] = planPlacement([wants("web", 1)], cordoned.slice(0, 1));
  assert.equal(placed?.unplaced?.words, "web needs a machine; 1 machine looked at, m1 is cordoned");
});

test("what has volumes stays with them, also while their machine is away", () => {
  assert.deepEqual(onOf([wants("db", 1, none, { only: id("m3") })], three), [{ m3: 1 }]);
  const [placed] = planPlacement([wants("db", 1, none, { only: id("m9") })], three);
  assert.equal(placed?.unplaced?.words, "db needs a machine; 3 machines looked at, its volumes are on m9, which is not there");
});

test("of many machines a refusal names the largest alone", () => {
  const many = Array.from({ length: 40 }, (_, i) => room(id(`m${i}`), { cores: 4, freeCores: i === 7 ? 1.5 : 1 }));
  const [placed] = planPlacement([wants("web", 1, { ...none, cpu: 4 })], many);
  assert.equal(placed?.unplaced?.words, "web needs 4 CPU; 40 machines looked at, the largest has 1.5 CPU free on m7");
});
