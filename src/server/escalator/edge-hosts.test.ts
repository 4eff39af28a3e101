import assert from "node:assert/strict";
import { test } from "node:test";
import type { MachineId } from "#model/names.ts";
import { edgeSeenFrom } from "./edge-hosts.ts";

const own = { address: "127.0.0.1", family: 4 } as const;
const at = (open: Readonly<Record<string, boolean>>) => ({
  fleet: { addressOf: (machine: MachineId) => `10.0.0.${machine.slice(1)}`, agent: { machine: "m1" as MachineId } as never },
  routes: {
    edges: Object.keys(open).map((machine) => ({ machine: machine as MachineId, isLinked: machine !== "m3" })) as never,
    isPublic: (machine: MachineId) => open[machine] ?? null,
  },
});

test("a machine's own edge is asked, unless it is closed: then one on another machine that is open and linked", () => {
  const m2 = "m2" as MachineId;
  assert.equal(edgeSeenFrom(m2, own, at({ m1: true, m2: true })), own);
  assert.equal(edgeSeenFrom(m2, own, at({ m1: true })), own, "one that has not said is taken for open");
  assert.deepEqual(edgeSeenFrom(m2, own, at({ m2: false, m3: true, m4: true })), { address: "10.0.0.4", family: 4, isOther: true });
  assert.deepEqual(edgeSeenFrom(null, own, at({ m1: false, m4: true })), { address: "10.0.0.4", family: 4, isOther: true });
  assert.equal(edgeSeenFrom(m2, own, at({ m1: false, m2: false })), own, "where none is open the check fails, as it should");
});
