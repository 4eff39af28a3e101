import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { MachineId, PoolName } from "#model/names.ts";
import type { PoolRules } from "#model/pool.ts";
import { type PoolMachine, planPool, shareOf } from "./plan-pool.ts";
import { machinesFor, type Shortage } from "./shortage.ts";

const lookMs = 10_000;
const size = { cores: 4, memoryBytes: 8 * 2 ** 30 };
const rules: PoolRules = { min: 1, max: 8, waitMs: 60_000, busyShare: 0.9, busyMs: 300_000, idleMs: 600_000, grow: "auto" };

/** A pool whose machines come and go with a delay, and instances of one CPU that find room where there is some; looked at every ten seconds. */
class World {
  nowMs = 0;
  machines = [{ name: "web-1" as MachineId, state: "kept" as PoolMachine["state"], sinceMs: 0, used: 0, idleSinceMs: 0 as number | null }];
  wanted = 0;
  waitsSinceMs: number | null = null;
  busySinceMs: number | null = null;
  changedAtMs: number | null = null;
  addedAtMs: number[] = [];
  readonly #comesAfterMs: number;

  constructor(comesAfterMs: number) {
    this.#comesAfterMs = comesAfterMs;
  }

  /** One look: what waits finds room, the rules decide, and what comes or leaves does. */
  look(): void {
    this.nowMs += lookMs;
    for (const machine of this.machines)
      if (machine.state === "coming" && this.nowMs - machine.sinceMs >= this.#comesAfterMs) machine.state = "kept";
    const [gone] = this.machines.filter(({ state, used }) => state === "leaving" && used === 0);
    if (gone !== undefined) this.machines = this.machines.filter((one) => one !== gone);
    let placed = this.machines.reduce((sum, { used }) => sum + used, 0);
    for (const machine of [...this.machines].reverse()) {
      const fewer = Math.min(machine.used, Math.max(0, placed - this.wanted));
      machine.used -= fewer;
      placed -= fewer;
    }
    for (const machine of this.machines.filter(({ state }) => state === "kept")) {
      const more = Math.min(size.cores - machine.used, Math.max(0, this.wanted - placed));
      machine.used += more;
      placed += more;
    }
    for (const machine of this.machines) machine.idleSinceMs = machine.used > 0 ? null : (machine.idleSinceMs ?? this.nowMs);
    const waiting = this.wanted - placed;
    this.waitsSinceMs = waiting > 0 ? (this.waitsSinceMs ?? this.nowMs) : null;
    const shortages: Shortage[] =
      this.waitsSinceMs === null ? [] : [{ name: "shop.web", instances: waiting, cores: 1, memoryBytes: 0, sinceMs: this.waitsSinceMs }];
    const machines = this.machines.map(
      ({ name, state, sinceMs, used, idleSinceMs }): PoolMachine => ({
        ...{ name, state, sinceMs, idleSinceMs },
        room:
          state === "coming"
            ? null
            : { ...size, freeCores: size.cores - used, freeMemoryBytes: size.memoryBytes, instances: used, isOpen: true },
      }),
    );
    this.busySinceMs = shareOf(machines) > rules.busyShare ? (this.busySinceMs ?? this.nowMs) : null;
    const { busySinceMs, addedAtMs, changedAtMs, nowMs } = this;
    const { actions } = planPool({
      name: "web" as PoolName,
      rules,
      machines,
      shortages,
      busySinceMs,
      heldBy: null,
      addedAtMs,
      changedAtMs,
      nowMs,
    });
    for (const action of actions) {
      this.changedAtMs = nowMs;
      if (action.kind === "add") {
        for (const name of action.machines) this.machines.push({ name, state: "coming", sinceMs: nowMs, used: 0, idleSinceMs: null });
        this.addedAtMs.push(...action.machines.map(() => nowMs));
      } else {
        const machine = this.machines.find(({ name }) => name === action.machine);
        assert.ok(machine);
        machine.state = action.kind === "leave" ? "leaving" : "kept";
      }
      if (action.kind === "leave")
        assert.equal(machines.find(({ name }) => name === action.machine)?.room?.instances, 0, "nothing that runs is taken away");
    }
    const there = this.machines.filter(({ state }) => state !== "leaving").length;
    assert.ok(there >= rules.min && there <= rules.max, `${there} machines`);
    assert.equal(new Set(this.machines.map(({ name }) => name)).size, this.machines.length, "each name once");
  }
}

test("whatever the work does, a pool stays within its numbers, takes nothing away that runs, and settles where all has room", () => {
  const loads = fc.array(fc.record({ wanted: fc.nat({ max: 40 }), looks: fc.nat({ max: 60 }) }), { maxLength: 8 });
  fc.assert(
    fc.property(loads, fc.nat({ max: 300_000 }), (history, comesAfterMs) => {
      const world = new World(comesAfterMs);
      for (const { wanted, looks } of history) {
        world.wanted = wanted;
        for (let look = 0; look < looks; look++) world.look();
      }
      // An hour's budget and doubling both end within two hours of the same work.
      for (let look = 0; look < 720; look++) world.look();
      const kept = world.machines.filter(({ state }) => state === "kept");
      const room = Math.min(world.wanted, rules.max * size.cores);
      assert.equal(
        kept.reduce((sum, { used }) => sum + used, 0),
        room,
        "all that fits into the largest pool has room",
      );
      const before = world.machines.map(({ name, state }) => `${name} ${state}`);
      for (let look = 0; look < 360; look++) world.look();
      assert.deepEqual(
        world.machines.map(({ name, state }) => `${name} ${state}`),
        before,
        "and nothing comes and goes any more",
      );
    }),
    { numRuns: 60 },
  );
});

test("machines for what waits are never too few for it, and never more than one for each instance", () => {
  const waiting = fc.array(
    fc.record({
      name: fc.constant("a.b"),
      instances: fc.integer({ min: 1, max: 30 }),
      cores: fc.integer({ min: 0, max: 4 }),
      memoryBytes: fc.integer({ min: 0, max: 8 }).map((gib) => gib * 2 ** 30),
      sinceMs: fc.constant(0),
    }),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(waiting, (shortages) => {
      const { machines } = machinesFor(shortages, [], size);
      const cores = shortages.reduce((sum, one) => sum + one.instances * one.cores, 0);
      const memory = shortages.reduce((sum, one) => sum + one.instances * one.memoryBytes, 0);
      const instances = shortages.reduce((sum, one) => sum + one.instances, 0);
      assert.ok(machines * size.cores >= cores && machines * size.memoryBytes >= memory);
      assert.ok(machines <= instances);
    }),
  );
});
