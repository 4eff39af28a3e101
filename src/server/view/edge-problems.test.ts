import assert from "node:assert/strict";
import { test } from "node:test";
import type { MachineId } from "#model/names.ts";
import { edgePlaceProblems } from "./edge-problems.ts";

const labels = { edge: "yes" };
const machines = [{ id: "m1" }, { id: "m2" }];

function told(chosen: readonly string[], linked: readonly string[], wanted: Readonly<Record<string, string>> = labels): readonly string[] {
  const edges = linked.map((machine) => ({ machine: machine as MachineId, isLinked: true })) as never;
  const about = { isEdge: (machine: MachineId) => chosen.includes(machine), routes: { edges } };
  return edgePlaceProblems(wanted, machines, about).map(({ code, message }) => `${code} ${message}`);
}

test("it is told when no machine is chosen for what comes from outside, and when none of the chosen has an edge that is linked", () => {
  assert.deepEqual(told([], ["m1"], {}), [], "without a choice each machine takes it");
  assert.deepEqual(told(["m2"], ["m1", "m2"]), []);
  assert.match(told([], ["m1"]).join(), /^EDGE_NOWHERE no machine is labelled edge=yes/);
  assert.deepEqual(told(["m1", "m2"], []), ["EDGE_NOWHERE no edge is linked on a machine that takes what comes from outside: m1, m2"]);
});
