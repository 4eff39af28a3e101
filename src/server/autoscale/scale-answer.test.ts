import assert from "node:assert/strict";
import { test } from "node:test";
import type { LookAnswer } from "#model/look.ts";
import { readScaleAnswer } from "./scale-answer.ts";

const said = (answer: string, more: Partial<LookAnswer> = {}): LookAnswer => ({
  exitCode: 0,
  answer,
  isAnswerCut: false,
  output: answer,
  ...more,
});
const read = (answer: LookAnswer) => readScaleAnswer({ timeoutMs: 5_000 }, answer, (text) => text.replaceAll("hunter2", "•••"));

test("a whole number is what was asked for, whatever was said beside it", () => {
  assert.deepEqual(read(said("7\n", { output: "looking\n7\n" })), { amount: 7, missing: null });
  assert.deepEqual(read(said("0")), { amount: 0, missing: null });
});

for (const [what, answer, why] of [
  ["a failure", said("3", { exitCode: 2, output: "3\npsql: error: no host\n" }), "exited with 2: psql: error: no host"],
  ["a failure without a word", said("", { exitCode: 127 }), "exited with 127"],
  ["a failure that tells a secret", said("", { exitCode: 1, output: "denied: hunter2" }), "exited with 1: denied: •••"],
  ["a time that is over", said("3", { exitCode: null }), "did not end within 5s, or was killed"],
  ["nothing", said(" \n"), "printed nothing, and not a whole number"],
  ["a number that is not whole", said("1.5"), 'printed "1.5", and not a whole number'],
  ["less than none", said("-1"), 'printed "-1", and not a whole number'],
  ["two numbers", said("1\n2"), 'printed "1", and not a whole number'],
  ["words with a secret in them", said("queue hunter2"), 'printed "queue •••", and not a whole number'],
  ["a long line", said("x".repeat(100)), `printed "${"x".repeat(64)}…", and not a whole number`],
  ["too much", said(`${"1".repeat(15)}`, { isAnswerCut: true }), `printed "${"1".repeat(15)}", and not a whole number`],
  ["a number that no count is", said("9".repeat(16)), `printed "${"9".repeat(16)}", and not a whole number`],
] as const)
  test(`no number, and why in one line: ${what}`, () => assert.deepEqual(read(answer), { amount: 0, missing: `its command ${why}` }));
