import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

/** Grows its young generation, as a start does, and then rests. */
const program = `
import { getHeapSpaceStatistics } from "node:v8";
import { giveBackMemory } from ${JSON.stringify(join(import.meta.dirname, "give-back-memory.ts"))};
const youngMiB = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space").space_size / 2 ** 20;
giveBackMemory();
const kept = [];
while (youngMiB() < 16) kept.length > 20_000 ? (kept.length = 0) : kept.push({ own: [kept.length] });
kept.length = 0;
console.log("grown");
const timer = setInterval(() => {
  if (youngMiB() > 4) return;
  console.log("given back");
  clearInterval(timer);
}, 50);
`;

test("a program that rests gives back what its start took, and no program needs what makes that possible", {
  timeout: 60_000,
}, async () => {
  const run = (...flags: string[]) =>
    promisify(execFile)(process.execPath, [...flags, "--input-type=module", "-e", program], { timeout: 50_000 });
  assert.equal((await run("--max-semi-space-size=16", "--expose-gc")).stdout, "grown\ngiven back\n");
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--input-type=module",
    "-e",
    `import { giveBackMemory } from ${JSON.stringify(join(import.meta.dirname, "give-back-memory.ts"))}; giveBackMemory(); console.log("goes on");`,
  ]);
  assert.equal(stdout, "goes on\n");
});
