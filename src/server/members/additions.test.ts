import assert from "node:assert/strict";
import { test } from "node:test";
import type { ToldAddition } from "#model/api-additions.ts";
import { createAdditions } from "./additions.ts";

const told = (isOver: boolean): ToldAddition => ({
  hosts: [{ host: "h2", machine: null, state: "under-way", stage: "looking", notes: [], failure: null }],
  isOver,
});

function atTime() {
  let ms = 0;
  const clock = { nowMs: () => 1_000 + ms, monotonicMs: () => ms, sleep: async () => {} };
  return { additions: createAdditions(clock), pass: (more: number) => (ms += more) };
}

test("what is told takes the place of what was told before, by the same one alone", () => {
  const { additions } = atTime();
  additions.tell("a", "anna", told(false));
  additions.tell("a", "mallory", told(true));
  assert.deepEqual(additions.list(), [{ id: "a", by: "anna", startedAtMs: 1_000, ...told(false), isSilent: false }]);
  additions.tell("a", "anna", told(true));
  assert.equal(additions.list()[0]?.isOver, true);
});

test("a command that says nothing any more is silent, unless it said that it is over", () => {
  const { additions, pass } = atTime();
  additions.tell("a", "anna", told(false));
  additions.tell("b", "anna", told(true));
  pass(20_001);
  assert.deepEqual(
    additions.list().map(({ id, isSilent }) => [id, isSilent]),
    [
      ["b", false],
      ["a", true],
    ],
  );
});

test("no more are kept than anybody would look at, the newest", () => {
  const { additions } = atTime();
  for (let i = 0; i < 30; i++) additions.tell(`n${i}`, "anna", told(false));
  assert.deepEqual([additions.list().length, additions.list()[0]?.id], [20, "n29"]);
});
