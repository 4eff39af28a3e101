import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { MachineId, PoolName, SpaceName } from "#model/names.ts";
import type { PoolRules } from "#model/pool.ts";
import type { PoolAction } from "./plan-pool.ts";
import { planPools } from "./plan-pools.ts";
import { comingMs, type PoolInput, type PoolMachine, shareOf } from "./pool.ts";
import { machinesFor, type Shortage } from "./shortage.ts";

const lookMs = 10_000;
const size = { cores: 4, memoryBytes: 8 * 2 ** 30 };
const usual: PoolRules = { min: 1, max: 8, waitMs: 60_000, busyShare: 0.9, busyMs: 300_000, idleMs: 600_000, grow: "auto" };

interface WorldMachine {
  readonly name: MachineId;
  readonly pool: PoolName;
  state: PoolMachine["state"];
  sinceMs: number;
  used: number;
  idleSinceMs: number | null;
}

/** Pools whose machines come and go with a delay, and instances of one CPU that find room where there is some; looked at every ten seconds. */
class World {
  nowMs = 0;
  machines: WorldMachine[] = [];
  wanted = 0;
  waitsSinceMs: number | null = null;
  readonly #pools: readonly PoolName[];
  readonly #rules: PoolRules;
  readonly #comesAfterMs: number;
  readonly #busySinceMs = new Map<PoolName, number>();
  readonly #changedAtMs = new Map<PoolName, number>();
  readonly #addedAtMs = new Map<PoolName, number[]>();

  constructor(comesAfterMs: number, pools = ["web" as PoolName], rules = usual) {
    this.#comesAfterMs = comesAfterMs;
    this.#pools = pools;
    this.#rules = rules;
    for (const pool of pools) this.#push(pool, `${pool}-1` as MachineId, "kept");
  }

  /** One look: what waits finds room, the rules decide, and what comes or leaves does. @returns names that were added */
  look(): readonly MachineId[] {
    this.nowMs += lookMs;
    this.#comeAndGo();
    this.#place();
    const waiting = this.wanted - this.placed;
    this.waitsSinceMs = waiting > 0 ? (this.waitsSinceMs ?? this.nowMs) : null;
    const shortages: Shortage[] =
      this.waitsSinceMs === null
        ? []
        : [{ name: "shop.web", instances: waiting, cores: 1, memoryBytes: 0, sinceMs: this.waitsSinceMs, pools: new Set(this.#pools) }];
    const plans = planPools(
      this.#pools.map((pool) => this.#inputOf(pool)),
      shortages,
    );
    const added = [...plans].flatMap(([pool, { actions }]) => actions.flatMap((action) => this.#act(pool, action)));
    for (const pool of this.#pools) {
      const there = this.machines.filter((one) => one.pool === pool && !isLeaving(one));
      assert.ok(there.length >= this.#rules.min && there.length <= this.#rules.max, `${there.length} machines of ${pool}`);
    }
    assert.equal(new Set(this.machines.map(({ name }) => name)).size, this.machines.length, "each name once");
    return added;
  }

  get placed(): number {
    return this.machines.reduce((sum, { used }) => sum + used, 0);
  }

  /** Machines that are there for work, or will be. */
  get there(): number {
    return this.machines.filter((one) => !isLeaving(one)).length;
  }

  #push(pool: PoolName, name: MachineId, state: PoolMachine["state"]): void {
    this.machines.push({ name, pool, state, sinceMs: this.nowMs, used: 0, idleSinceMs: state === "kept" ? this.nowMs : null });
  }

  #comeAndGo(): void {
    for (const machine of this.machines) {
      if (machine.state === "coming" && this.nowMs - machine.sinceMs >= this.#comesAfterMs) machine.state = "kept";
      else if (machine.state === "leaving" && machine.used === 0) machine.state = "going";
    }
    const gone = this.machines.find(({ state }) => state === "going");
    if (gone !== undefined) this.machines = this.machines.filter((one) => one !== gone);
  }

  #place(): void {
    let { placed } = this;
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
  }

  #inputOf(pool: PoolName): PoolInput {
    const machines = this.machines
      .filter((one) => one.pool === pool)
      .map(
        ({ name, state, sinceMs, used, idleSinceMs }): PoolMachine => ({
          ...{ name, state, sinceMs, idleSinceMs, keptBy: null, isAbsent: false, trouble: null },
          room:
            state === "coming"
              ? null
              : { ...size, freeCores: size.cores - used, freeMemoryBytes: size.memoryBytes, instances: used, isOpen: state === "kept" },
        }),
      );
    const busySinceMs = shareOf(machines) > this.#rules.busyShare ? (this.#busySinceMs.get(pool) ?? this.nowMs) : null;
    if (busySinceMs === null) this.#busySinceMs.delete(pool);
    else this.#busySinceMs.set(pool, busySinceMs);
    return {
      ...{
        space: "default" as SpaceName,
        name: pool,
        rules: this.#rules,
        machines,
        given: null,
        isMended: true,
        heldBy: null,
        busySinceMs,
      },
      ...{ addedAtMs: this.#addedAtMs.get(pool) ?? [], changedAtMs: this.#changedAtMs.get(pool) ?? null, nowMs: this.nowMs },
    };
  }

  #act(pool: PoolName, action: PoolAction): readonly MachineId[] {
    this.#changedAtMs.set(pool, this.nowMs);
    if (action.kind === "add") {
      for (const name of action.machines) this.#push(pool, name, "coming");
      this.#addedAtMs.set(pool, [...(this.#addedAtMs.get(pool) ?? []), ...action.machines.map(() => this.nowMs)]);
      return action.machines;
    }
    const machine = this.machines.find(({ name }) => name === action.machine);
    assert.ok(machine);
    if (action.kind === "leave") assert.equal(machine.used, 0, "nothing that runs is taken away");
    if (action.kind === "stay") assert.equal(machine.state, "leaving", "only what is not gone yet can stay");
    machine.state = action.kind === "leave" ? "leaving" : "kept";
    machine.sinceMs = this.nowMs;
    return [];
  }
}

const isLeaving = ({ state }: WorldMachine) => state === "leaving" || state === "going";
const loads = fc.array(fc.record({ wanted: fc.nat({ max: 40 }), looks: fc.nat({ max: 60 }) }), { maxLength: 8 });

test("whatever the work does, a pool stays within its numbers, takes nothing away that runs, and settles where all has room", () => {
  fc.assert(
    fc.property(loads, fc.nat({ max: 300_000 }), (history, comesAfterMs) => {
      const world = new World(comesAfterMs);
      for (const { wanted, looks } of history) {
        world.wanted = wanted;
        for (let look = 0; look < looks; look++) world.look();
      }
      // An hour's budget and doubling both end within two hours of the same work.
      for (let look = 0; look < 720; look++) world.look();
      assert.equal(world.placed, Math.min(world.wanted, usual.max * size.cores), "all that fits into the largest pool has room");
      const names = () => world.machines.map(({ name, state }) => `${name} ${state}`);
      const before = names();
      for (let look = 0; look < 360; look++) world.look();
      assert.deepEqual(names(), before, "and nothing comes and goes any more");
    }),
    { numRuns: 25 },
  );
});

test("several pools never have more machines in all than what waits needs, however late these come", () => {
  const rules: PoolRules = { ...usual, busyShare: 1, idleMs: 600_000 };
  fc.assert(
    fc.property(loads, fc.nat({ max: comingMs - lookMs }), (history, comesAfterMs) => {
      const world = new World(comesAfterMs, ["a" as PoolName, "b" as PoolName, "c" as PoolName], rules);
      for (const { wanted, looks } of [...history, { wanted: 30, looks: 360 }]) {
        world.wanted = wanted;
        for (let look = 0; look < looks; look++)
          if (world.look().length > 0)
            assert.ok(world.there <= Math.max(3, Math.ceil(world.wanted / size.cores)), `${world.there} machines`);
      }
      assert.equal(world.placed, 30, "and none too few");
    }),
    { numRuns: 25 },
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
      pools: fc.constant(new Set<PoolName>()),
    }),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(waiting, (shortages) => {
      const { machines } = machinesFor(shortages, size);
      const cores = shortages.reduce((sum, one) => sum + one.instances * one.cores, 0);
      const memory = shortages.reduce((sum, one) => sum + one.instances * one.memoryBytes, 0);
      const instances = shortages.reduce((sum, one) => sum + one.instances, 0);
      assert.ok(machines * size.cores >= cores && machines * size.memoryBytes >= memory);
      assert.ok(machines <= instances);
    }),
  );
});
