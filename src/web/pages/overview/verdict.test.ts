import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppSummary } from "#model/api.ts";
import type { MachineView } from "#model/api-machines.ts";
import type { Watched } from "../../state/watched.ts";
import { attentionOf, type Scene, verdictOf } from "./verdict.ts";

const app = (name: string, health: AppSummary["health"], rollout: object | null = null) => ({ name, health, rollout }) as AppSummary;
const machine = (id: string, linked: boolean) => ({ id, linked }) as MachineView;
const check = (id: string, verdict: "ok" | "failing", isSilent = false) => ({ id, verdict, isSilent }) as Watched["checks"][number];
const run = (id: string, state: Watched["runs"][number]["state"]) => ({ id, state }) as Watched["runs"][number];
const verdict = (scene: Partial<Omit<Scene, "watched">> & Partial<Watched>) => {
  const { checks = [], runs = [], ...rest } = scene;
  const { tone, words, count } = verdictOf(attentionOf({ apps: [], problems: [], machines: [], ...rest, watched: { checks, runs } }));
  return [tone, words, count];
};

test("all is well while nothing is wrong, also while a deploy goes on, an app is stopped, or a silent check fails", () => {
  const well = { apps: [app("a", "ready"), app("b", "stopped")], machines: [machine("m1", true)], checks: [check("c", "failing", true)] };
  assert.deepEqual(verdict(well), ["good", "All is well", 0]);
  assert.deepEqual(verdict({ ...well, apps: [app("a", "deploying", {})] }), ["busy", "All is well, 1 change goes on", 0]);
  assert.deepEqual(verdict({ ...well, runs: [run("r", "settling")] }), ["busy", "All is well, 1 change goes on", 0]);
});

test("what does not work is wrong; what may become that, or waits for somebody, needs a look", () => {
  assert.deepEqual(verdict({ apps: [app("a", "degraded")] }), ["warn", "1 thing needs a look", 1]);
  assert.deepEqual(verdict({ runs: [run("r", "waiting")] }), ["warn", "1 thing needs a look", 1]);
  assert.deepEqual(verdict({ problems: [{ code: "CERTIFICATE_EXPIRING", message: "" }] }), ["warn", "1 thing needs a look", 1]);
  assert.deepEqual(verdict({ machines: [machine("m1", false)] }), ["bad", "1 thing is wrong", 1]);
  assert.deepEqual(verdict({ problems: [{ code: "STORAGE_FULL", message: "" }] }), ["bad", "1 thing is wrong", 1]);
  assert.deepEqual(verdict({ apps: [app("a", "down"), app("b", "degraded")], checks: [check("c", "failing")] }), [
    "bad",
    "3 things are wrong",
    3,
  ]);
});

test("what is told of a check or a person has a line of its own, and the worst is first", () => {
  const problem = (code: "CHECK_FAILING" | "CERTIFICATE_EXPIRING" | "STORAGE_FULL") => ({ code, message: "" });
  const attention = attentionOf({
    apps: [app("a", "degraded"), app("b", "down")],
    problems: [problem("CHECK_FAILING"), problem("CERTIFICATE_EXPIRING"), problem("STORAGE_FULL")],
    machines: [],
    watched: { checks: [], runs: [run("r1", "running"), run("r2", "needs-human")] },
  });
  assert.deepEqual(
    attention.problems.map(({ code }) => code),
    ["STORAGE_FULL", "CERTIFICATE_EXPIRING"],
  );
  assert.deepEqual(
    attention.troubled.map(({ name }) => name),
    ["b", "a"],
  );
  assert.deepEqual(
    attention.runs.map(({ id }) => id),
    ["r2", "r1"],
  );
});
