import type { CheckState } from "../src/model/check.ts";
import type { AppName, CheckId, MachineId, PoolName } from "../src/model/names.ts";
import type { Topology } from "../src/model/target.ts";
import { indexLadder } from "../src/plan/ladder/index-ladder.ts";
import { planLadder } from "../src/plan/ladder/plan-ladder.ts";
import { check, classic, inputOf, stateOf, t0 } from "../src/plan/testing/ladder-world.ts";
import { median, quantile, report } from "./lib.ts";

// What does one plan cost in a space of 1,000 machines and 5,000 checks: when all is well, when one machine is lost, in the middle of its run, and
// when everything fails at once?

const machines = 1_000;
const topology: Topology = {
  pools: Array.from({ length: 10 }, (_, i) => ({ name: `p${i}` as PoolName, minHealthy: 10 })),
  machines: Array.from({ length: machines }, (_, i) => ({
    name: `m${i}` as MachineId,
    pool: `p${i % 10}` as PoolName,
    apps: [`a${i % 50}` as AppName],
  })),
  apps: Array.from({ length: 50 }, (_, i) => `a${i}` as AppName),
};
const more = ["disk", "time", "load"].map((name) => check(name, "machine", "converge"));
const index = indexLadder({ ...classic, checks: [...classic.checks, ...more] }, topology);
const well = new Map([...index.checks.keys()].map((id) => [id, stateOf(id, false, t0, t0)]));
const withFailing = (fails: (id: CheckId) => boolean): ReadonlyMap<CheckId, CheckState> =>
  new Map([...well].map(([id, state]) => [id, fails(id) ? stateOf(id, true, t0, t0) : state]));

function measure(what: string, input: Parameters<typeof planLadder>[0], goalMs?: number): void {
  const times: number[] = [];
  for (let round = 0; round < 600; round++) {
    const startedAt = performance.now();
    planLadder(input);
    if (round >= 100) times.push(performance.now() - startedAt);
  }
  const goal = goalMs === undefined ? {} : { goal: `< ${goalMs} ms` };
  report(`${what}, median`, median(times), "ms", { ...goal, ...(goalMs === undefined ? {} : { ok: median(times) < goalMs }) });
  report(`${what}, p99`, quantile(times, 0.99), "ms", { ...goal, ...(goalMs === undefined ? {} : { ok: quantile(times, 0.99) < goalMs }) });
}

console.log(`${index.checks.size} checks, ${machines} machines`);
measure("all is well", inputOf(index, { states: well }), 1);
const one = withFailing((id) => id.endsWith("@machine/m7"));
const opened = planLadder(inputOf(index, { states: one }));
const windows = opened.actions.flatMap((action) => (action.kind === "save" ? [action.escalation] : []));
measure("one machine is lost", inputOf(index, { states: one }), 1);
measure("its settle window is over", inputOf(index, { states: one, escalations: windows, nowMs: t0 + 30_000 }), 1);
const begun = planLadder(inputOf(index, { states: one, escalations: windows, nowMs: t0 + 30_000 })).actions.flatMap((action) =>
  action.kind === "save" ? [action.escalation] : [],
);
measure("its run is under way", inputOf(index, { states: one, escalations: begun, nowMs: t0 + 31_000 }), 1);
measure("every check fails at once", inputOf(index, { states: withFailing(() => true) }));
