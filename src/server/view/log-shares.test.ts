import assert from "node:assert/strict";
import { test } from "node:test";
import { LogShares } from "./log-shares.ts";

test("a caller has a few questions under way at a time, and leaves room for others", async () => {
  const shares = new LogShares();
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  const asked = Array.from({ length: 6 }, () => shares.within("ann", () => answered));
  await assert.rejects(
    shares.within("ann", async () => {}),
    { code: "OVERLOADED", hint: /^Wait for their answers/ },
  );
  assert.equal(await shares.within("bob", async () => "found"), "found");
  answer();
  await Promise.all(asked);
  assert.equal(await shares.within("ann", async () => "found"), "found");
  await assert.rejects(
    shares.within("ann", () => Promise.reject(new Error("broken"))),
    /broken/,
  );
  for (const caller of ["a", "b", "c", "d"]) for (let one = 0; one < 6; one++) void shares.within(caller, () => new Promise(() => {}));
  await assert.rejects(
    shares.within("late", async () => {}),
    { code: "OVERLOADED", hint: /^Try again/ },
  );
});
