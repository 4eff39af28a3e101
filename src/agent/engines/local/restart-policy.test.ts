import assert from "node:assert/strict";
import { test } from "node:test";
import { restartDelayMs } from "./restart-policy.ts";

test("the first crash is followed by a start at once, later ones by growing waits of at most a minute", () => {
  assert.deepEqual(
    [1, 2, 3, 4, 5].map((crashes) => restartDelayMs(crashes, 1)),
    [0, 100, 200, 400, 800],
  );
  assert.equal(restartDelayMs(50, 1), 60_000);
});

test("Drover's own programs come back sooner, however often they were killed", () => {
  assert.equal(restartDelayMs(5, 1, true), 800);
  assert.equal(restartDelayMs(50, 1, true), 10_000);
});

test("waits are spread over half of their length", () => {
  assert.equal(restartDelayMs(5, 0), 400);
});
