import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { MachineId } from "#model/names.ts";
import { room } from "../testing/planner-world.ts";
import { anywhere } from "./plan-placement.ts";
import { type Balanced, planRebalance } from "./plan-rebalance.ts";

const ids = ["m1", "m2", "m3", "m4"] as readonly string[] as readonly MachineId[];
const nothing = { cpu: null, memoryBytes: null, pids: 0 };

function process(name: string, counts: readonly number[], more: Partial<Balanced> = {}): Balanced {
  return { name, on: new Map(counts.map((count, at) => [ids[at] as MachineId, count])), resources: nothing, rules: anywhere, ...more };
}

function words(processes: readonly Balanced[], machines = ids.slice(0, 3).map((id) => room(id))): readonly string[] {
  return planRebalance(processes, machines).moves.map(({ name, from, to, reason }) => `${name} ${from} → ${to}: ${reason}`);
}

test("what is even stays, and so does what differs by one", () => {
  assert.deepEqual(words([process("web", [2, 2, 1])]), []);
});

test("instances go from where there are most to where there are fewest, one at a time", () => {
  assert.deepEqual(words([process("web", [4, 1, 0])]), ["web m1 → m3: m1 has 4, m3 has 0", "web m1 → m2: m1 has 3, m2 has 1"]);
});

test("a label to spread over comes before machines", () => {
  const machines = [
    room(ids[0] as MachineId, { labels: { zone: "a" } }),
    room(ids[1] as MachineId, { labels: { zone: "a" } }),
    room(ids[2] as MachineId, { labels: { zone: "b" } }),
  ];
  const rules = { ...anywhere, spread: "zone" };
  assert.deepEqual(words([process("web", [1, 1, 0], { rules })], machines), ["web m1 → m3: there are fewer where zone is b"]);
});

test("apps of one instance each do not all stay on one machine", () => {
  const machines = [room(ids[0] as MachineId, { instances: 3 }), room(ids[1] as MachineId)];
  const apps = ["a", "b", "c"].map((name) => process(name, [1, 0]));
  assert.deepEqual(words(apps, machines), ["a m1 → m2: m1 has 3 of all apps, m2 has 0"]);
});

test("nothing goes where it does not fit, or may not run", () => {
  const machines = [
    room(ids[0] as MachineId),
    room(ids[1] as MachineId, { freeCores: 0.5 }),
    room(ids[2] as MachineId, { isCordoned: true }),
  ];
  assert.deepEqual(words([process("web", [4, 0, 0], { resources: { ...nothing, cpu: 1 } })], machines), []);
});

const worlds = fc.record({
  machines: fc.tuple(
    ...ids.map((id) =>
      fc
        .record({
          instances: fc.nat(5),
          freeCores: fc.integer({ min: -1, max: 4 }),
          isCordoned: fc.boolean(),
          zone: fc.constantFrom("a", "b"),
        })
        .map(({ zone, ...more }) => room(id, { ...more, labels: { zone } })),
    ),
  ),
  processes: fc.array(
    fc.record({
      counts: fc.array(fc.nat(4), { minLength: 4, maxLength: 4 }),
      cpu: fc.constantFrom(null, 0.5, 1),
      spread: fc.constantFrom(null, "zone"),
    }),
    { maxLength: 3 },
  ),
});

test("from any world: as many as before, each move fits and is allowed, and after them there is nothing to do", () => {
  fc.assert(
    fc.property(worlds, ({ machines, processes }) => {
      const before = processes.map(({ counts, cpu, spread }, at) =>
        process(`p${at}`, counts, { resources: { ...nothing, cpu }, rules: { ...anywhere, spread } }),
      );
      const { moves, after } = planRebalance(before, machines);
      const free = new Map(machines.map(({ id, freeCores }) => [id, freeCores]));
      const instances = new Map(machines.map((machine) => [machine.id, machine.instances]));
      for (const { name, from, to } of moves) {
        const cpu = before.find((one) => one.name === name)?.resources.cpu ?? 0;
        assert.equal(machines.find(({ id }) => id === to)?.isCordoned, false);
        assert.ok(cpu === 0 || (free.get(to) ?? 0) >= cpu, `${name} fits on ${to}`);
        free.set(to, (free.get(to) ?? 0) - cpu);
        free.set(from, (free.get(from) ?? 0) + cpu);
        instances.set(to, (instances.get(to) ?? 0) + 1);
        instances.set(from, (instances.get(from) ?? 0) - 1);
      }
      const sum = (on: ReadonlyMap<MachineId, number>) => [...on.values()].reduce((total, count) => total + count, 0);
      for (const one of before) assert.equal(sum(after.get(one.name) ?? one.on), sum(one.on));
      const then = before.map((one) => ({ ...one, on: after.get(one.name) ?? one.on }));
      const rooms = machines.map((machine) => ({
        ...machine,
        freeCores: free.get(machine.id) ?? 0,
        instances: instances.get(machine.id) ?? 0,
      }));
      assert.deepEqual(planRebalance(then, rooms).moves, []);
    }),
  );
});
