import assert from "node:assert/strict";
import { test } from "node:test";
import { scaleManifest } from "./scale-schemas.ts";

const parse = (command: object) => scaleManifest.safeParse({ max: 3, on: { command } });

test("a command that scales has the words of a check's command, and their defaults", () => {
  assert.deepEqual(parse({ run: "./how-many" }).data?.on.command, { run: "./how-many", each: 1, every: 30_000, env: {} });
  const all = { run: "x", each: 100, every: "1m", timeout: "5s", env: { QUEUE: "jobs" } };
  assert.deepEqual(parse(all).data?.on.command, { ...all, every: 60_000, timeout: 5_000 });
});

const rows: readonly (readonly [sentence: string, command: object, path: string, message: RegExp])[] = [
  ["no command line", { every: "30s" }, "run", /a command line/],
  ["more often than it is decided", { run: "x", every: "1s" }, "every", /at least 5s/],
  ["longer than the interval", { run: "x", every: "10s", timeout: "11s" }, "timeout", /at most as long as the interval/],
  ["a command that is slow beyond use", { run: "x", every: "5m", timeout: "2m" }, "timeout", /at most 1m/],
  ["nothing for each", { run: "x", each: 0 }, "each", /more than 0/],
  ["a variable that is no name", { run: "x", env: { "A B": "1" } }, "env.A B", /./],
  ["a word that is unknown", { run: "x", output: "nagios" }, "", /output/],
];
for (const [sentence, command, path, message] of rows)
  test(`refused for a command that scales: ${sentence}`, () => {
    const issues = parse(command).error?.issues ?? [];
    assert.deepEqual(
      issues.map((issue) => issue.path.join(".")),
      [["on.command", path].filter((part) => part !== "").join(".")],
    );
    assert.match(issues[0]?.message ?? "", message);
  });
