import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogShares } from "./log-shares.ts";

test("a caller has a few questions under way at a time, and leaves room for others", async () => {
  const shares = createLogShares();
  const { signal } = new AbortController();
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  const asked = Array.from({ length: 6 }, () => shares.run("ann", () => answered, signal));
  await assert.rejects(
    shares.run("ann", async () => {}, signal),
    { code: "OVERLOADED", hint: /^Wait for their answers/ },
  );
  assert.equal(await shares.run("bob", async () => "found", signal), "found");
  answer();
  await Promise.all(asked);
  assert.equal(await shares.run("ann", async () => "found", signal), "found");
  await assert.rejects(
    shares.run("ann", () => Promise.reject(new Error("broken")), signal),
    /broken/,
  );
  for (const caller of ["a", "b", "c", "d"]) for (let one = 0; one < 6; one++) void shares.run(caller, () => new Promise(() => {}), signal);
  await assert.rejects(
    shares.run("late", async () => {}, signal),
    { code: "OVERLOADED", hint: /^Try again/ },
  );
});
