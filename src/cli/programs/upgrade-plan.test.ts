import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProgramsState } from "#model/programs.ts";
import { type Candidate, planUpgrade } from "./upgrade-plan.ts";

function machine(name: string, programs: Partial<ProgramsState> | null = {}, hasServer = false): Candidate {
  const state = { id: "old", release: "1.0.0", architecture: "x86_64", before: null, isOnTrial: false, refused: null, parts: [] };
  return { machine: name, hasServer, programs: programs === null ? null : { ...state, ...programs } };
}

const shape = (candidates: readonly Candidate[], target: string | null) => {
  const { groups, done, silent } = planUpgrade(candidates, target);
  return { groups: groups.map((group) => group.map((step) => `${step.machine} ${step.kind}`)), done, silent };
};

test("the server's machine comes last forwards and first back, so that the server is never younger than an agent", () => {
  const all = [machine("a", { before: { id: null } }, true), machine("c", { before: { id: "x" } }), machine("b", { before: { id: "x" } })];
  assert.deepEqual(shape(all, "new").groups, [["b go-over", "c go-over"], ["a go-over"]]);
  assert.deepEqual(shape(all, null).groups, [["a go-over"], ["b go-over", "c go-over"]]);
});

test("what runs it already is left alone, what is on trial with it is judged, what does not answer is left out", () => {
  const all = [machine("a", { id: "new" }), machine("b", { id: "new", isOnTrial: true }), machine("c", null), machine("d")];
  assert.deepEqual(shape(all, "new"), { groups: [["b judge", "d go-over"]], done: ["a"], silent: ["c"] });
});

test("a machine with nothing before it does not go back", () => {
  assert.deepEqual(shape([machine("a"), machine("b", { before: { id: null } })], null), {
    groups: [["b go-over"]],
    done: ["a"],
    silent: [],
  });
});
