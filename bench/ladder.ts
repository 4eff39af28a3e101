// What does one plan cost in a space of 1,000 machines and 5,000 checks: when all is well, when one machine is lost, in the middle of its run, and
// in the worst moments, when everything fails at once: nothing open yet, every window over, every run under way, and one run over the whole space?
import type { CheckState } from "../src/model/check.ts";
import type { Escalation } from "../src/model/ladder.ts";
import type { AppName, CheckId, MachineId, PoolName } from "../src/model/names.ts";
import { scopeOf, type Topology } from "../src/model/target.ts";
import { indexLadder } from "../src/plan/ladder/index-ladder.ts";
import type { LadderInput } from "../src/plan/ladder/input.ts";
import { planLadder } from "../src/plan/ladder/plan-ladder.ts";
import { check, classic, inputOf, stateOf, t0 } from "../src/plan/testing/ladder-world.ts";
import { median, quantile, report } from "./lib.ts";

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
const goalMs = 1;
const settledMs = t0 + 30_000;

function failing(fails: (id: CheckId) => boolean): Partial<LadderInput> {
  const states: ReadonlyMap<CheckId, CheckState> = new Map(
    [...well].map(([id, state]) => [id, fails(id) ? stateOf(id, true, t0, t0) : state]),
  );
  return { states };
}

/** What the next `rounds` plans write. */
function after(input: LadderInput, rounds: number): readonly Escalation[] {
  const runs = new Map<string, Escalation>(input.escalations.map((run) => [run.id, run]));
  for (let round = 0; round < rounds; round++)
    for (const action of planLadder({ ...input, escalations: [...runs.values()] }).actions)
      if (action.kind === "save") runs.set(action.escalation.id, action.escalation);
  return [...runs.values()];
}

function measure(what: string, input: LadderInput): void {
  const times: number[] = [];
  for (let round = 0; round < 300; round++) {
    const startedAt = performance.now();
    planLadder(input);
    if (round >= 100) times.push(performance.now() - startedAt);
  }
  report(`${what}, median`, median(times), "ms", { goal: `< ${goalMs} ms`, ok: median(times) < goalMs });
  report(`${what}, p99`, quantile(times, 0.99), "ms");
}

/** The plans from the first failure on: nothing open, every window over, every run begun and about to act. */
function measureFrom(what: string, start: LadderInput): void {
  measure(`${what}: first`, start);
  const over = { ...start, escalations: after(start, 1), nowMs: settledMs };
  measure(`${what}: windows over`, over);
  const begun = { ...over, escalations: after(over, 1) };
  measure(`${what}: runs begun`, begun);
  const acting = { ...begun, escalations: after(begun, 20) };
  measure(`${what}: steps under way`, { ...acting, nowMs: settledMs + 1_000 });
}

console.log(`${index.checks.size} checks, ${machines} machines`);
measure("all is well", inputOf(index, { states: well }));
measureFrom(
  "one machine is lost",
  inputOf(
    index,
    failing((id) => id.endsWith("@machine/m7")),
  ),
);
measureFrom(
  "every check fails",
  inputOf(
    index,
    failing(() => true),
  ),
);
const isNarrow = (id: CheckId) => ["machine", "app"].includes(scopeOf(id.slice(id.indexOf("@") + 1) as never));
measureFrom("every machine and app fails, a mass failure", inputOf(index, failing(isNarrow)));
measureFrom("the same, acknowledged", inputOf(index, { ...failing(isNarrow), massAcknowledgedAtMs: t0 }));

// One run over the whole space, at the level that acts on every machine of it.
const space = inputOf(
  index,
  failing(() => true),
);
const [run] = after({ ...space, escalations: after(space, 1), nowMs: settledMs }, 1);
if (run !== undefined) {
  const atMachines = { ...space, nowMs: settledMs, escalations: [{ ...run, at: "machine" }] };
  measure("a run of the space begins with 1,000 machines", atMachines);
  measure("a run of the space acts on 1,000 machines", { ...atMachines, escalations: after(atMachines, 1), nowMs: settledMs + 1_000 });
}
