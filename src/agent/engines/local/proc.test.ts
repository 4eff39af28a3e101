import assert from "node:assert/strict";
import { test } from "node:test";
import { isAlive, parseStat, readProcess } from "./proc.ts";

test("the fields of a process are found behind a name with spaces and parentheses", () => {
  const text = `42 (a) b (c)) S 1 40 41 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 98765 0 0 18446744073709551615`;
  assert.deepEqual(parseStat(42, text), { pid: 42, state: "S", group: 40, session: 41, startTicks: 98765 });
});

test("a process of the same number that started at another time is not the same", async () => {
  const self = await readProcess(process.pid);
  assert.ok(self);
  assert.equal(await isAlive(self), true);
  assert.equal(await isAlive({ ...self, startTicks: self.startTicks - 1 }), false);
});
