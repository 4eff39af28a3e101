import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { MachineId, PoolName } from "#model/names.ts";
import { room } from "../testing/planner-world.ts";
import { anywhere, type MachineRoom, type PlacementRequest, planPlacement } from "./plan-placement.ts";

interface Case {
  readonly machines: readonly MachineRoom[];
  readonly request: PlacementRequest;
}

const zones = ["a", "b", "c"];

/** Up to eight machines of two pools, with or without the labels, and what is asked of them. */
const cases: fc.Arbitrary<Case> = fc
  .record({
    machines: fc.array(
      fc.record({
        pool: fc.constantFrom("web", "db"),
        zone: fc.constantFrom(null, ...zones),
        isSsd: fc.boolean(),
        isCordoned: fc.boolean(),
        cores: fc.integer({ min: 0, max: 4 }),
        beside: fc.integer({ min: 0, max: 3 }),
      }),
      { maxLength: 8 },
    ),
    more: fc.integer({ min: 0, max: 10 }),
    cpu: fc.constantFrom(null, 0.5, 1, 3),
    needsSsd: fc.boolean(),
    pool: fc.constantFrom(null, "web" as PoolName),
    spread: fc.constantFrom(null, "zone"),
  })
  .map(({ machines, more, cpu, needsSsd, pool, spread }) => {
    const rooms = machines.map((one, i) =>
      room(`${one.pool}-${i}` as MachineId, {
        labels: { ...(one.zone === null ? {} : { zone: one.zone }), ...(one.isSsd ? { disk: "ssd" } : {}) },
        isCordoned: one.isCordoned,
        cores: one.cores,
        freeCores: one.cores,
      }),
    );
    const beside = new Map(machines.map((one, i) => [rooms[i]?.id ?? ("" as MachineId), one.beside]));
    const rules = { ...anywhere, labels: needsSsd ? { disk: "ssd" } : {}, pool, spread };
    return { machines: rooms, request: { name: "web", more, resources: { cpu, memoryBytes: null, pids: 512 }, beside, rules } };
  });

/** Written anew, so that the planner is not checked by itself. */
function mayTake({ id, labels, isCordoned }: MachineRoom, { rules }: PlacementRequest): boolean {
  if (isCordoned || (rules.pool !== null && id.split("-")[0] !== rules.pool)) return false;
  return rules.labels["disk"] === undefined || labels["disk"] === rules.labels["disk"];
}

test("nothing goes where it may not run or does not fit, and what has no place fits nowhere any more", () => {
  fc.assert(
    fc.property(cases, ({ machines, request }) => {
      const [placed] = planPlacement([request], machines);
      const on = placed?.on ?? new Map<MachineId, number>();
      const each = request.resources.cpu ?? 0;
      const left = (machine: MachineRoom) => machine.cores - (on.get(machine.id) ?? 0) * each;
      for (const machine of machines) {
        if (on.has(machine.id)) assert.ok(mayTake(machine, request), `${machine.id} may not take it`);
        if (on.has(machine.id)) assert.ok(left(machine) > -1e-6, `${machine.id} is over full`);
      }
      assert.equal(
        [...on.values()].reduce((sum, count) => sum + count, 0),
        placed?.fitting,
      );
      if (placed?.unplaced === null) return;
      const roomy = machines.filter((machine) => mayTake(machine, request) && (each === 0 || left(machine) > each - 1e-6));
      assert.deepEqual(roomy, [], "there is a machine that could take more");
    }),
    { numRuns: 3_000 },
  );
});

test("where room is no matter, instances are as even over the label's values and over machines as what was there allows", () => {
  fc.assert(
    fc.property(cases, ({ machines, request: given }) => {
      const request = { ...given, resources: { ...given.resources, cpu: null } };
      const allowed = machines.filter((machine) => mayTake(machine, request));
      if (allowed.length === 0) return;
      const [placed] = planPlacement([request], machines);
      const { spread } = request.rules;
      const zoneOf = (machine: MachineRoom) => (spread === null ? "" : (machine.labels[spread] ?? ""));
      const after = (of: readonly MachineRoom[]) =>
        of.reduce((sum, { id }) => sum + (request.beside.get(id) ?? 0) + (placed?.on.get(id) ?? 0), 0);
      const inZone = (zone: string) => after(machines.filter((machine) => zoneOf(machine) === zone));
      for (const taker of allowed.filter(({ id }) => placed?.on.has(id))) {
        for (const other of allowed) {
          assert.ok(inZone(zoneOf(taker)) <= inZone(zoneOf(other)) + 1, `${taker.id} took one, and ${other.id}'s zone has fewer`);
          if (zoneOf(taker) === zoneOf(other)) assert.ok(after([taker]) <= after([other]) + 1, `${other.id} has fewer than ${taker.id}`);
        }
      }
    }),
    { numRuns: 3_000 },
  );
});
