import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ScaleLoad, ScaleRule } from "#model/scale.ts";
import { planAutoscale, type ScaleHistory, type ScaleInput } from "./plan-autoscale.ts";
import { lookEveryMs, simulateAutoscale, type TracePoint } from "./simulate-autoscale.ts";

const minuteMs = 60_000;
/** A Monday, 10:00 UTC. */
const monday = Date.UTC(2026, 10, 23, 10);
const rule: ScaleRule = { min: 2, max: 10, each: { cores: 0.5 }, schedule: [], downAfterMs: 5 * minuteMs };

const queue: NonNullable<ScaleRule["metric"]> = {
  metric: "jobs_waiting",
  of: null,
  match: {},
  fn: null,
  aggregate: "sum",
  quantile: 0.95,
  overMs: minuteMs,
};

const asking: ScaleRule = { ...rule, each: { command: 1 } };

const load = (amounts: Partial<Record<keyof ScaleLoad, number>>, missing: string | null = null): ScaleLoad => {
  const measure = (amount = 0) => ({ amount, missing });
  return {
    cores: measure(amounts.cores),
    memoryBytes: measure(amounts.memoryBytes),
    rps: measure(amounts.rps),
    latencyMs: measure(amounts.latencyMs),
    metric: measure(amounts.metric),
    command: measure(amounts.command),
  };
};

/** With these counts needed so many minutes ago, and none at the last look. */
const seen = (...needed: readonly (readonly [minutesAgo: number, count: number])[]): ScaleHistory => ({
  needed: [...needed.map(([ago, count]) => ({ atMs: -ago * minuteMs, count })), { atMs: -lookEveryMs, count: 0 }],
  downAtMs: null,
});

const input = (more: Partial<ScaleInput>): ScaleInput => ({
  rule,
  wanted: 4,
  load: load({ cores: 2 }),
  isRollingOut: false,
  history: seen(),
  atMs: 0,
  nowMs: monday,
  ...more,
});

const rows: readonly (readonly [sentence: string, more: Partial<ScaleInput>, count: number, words: RegExp])[] = [
  ["what each bears as it should changes nothing", {}, 4, /2\.00 cores, 0\.50 cores for each/],
  ["figures that waver by a tenth change nothing", { load: load({ cores: 2.19 }) }, 4, /2\.19 cores/],
  ["more load is more instances, at once", { load: load({ cores: 3 }) }, 6, /3\.00 cores/],
  ["never more than `max`, which is told", { wanted: 9, load: load({ cores: 20 }) }, 10, /`max` is 10/],
  ["at most doubled at one look, or four more", { wanted: 2, load: load({ cores: 5 }) }, 6, /at most 6 at this look/],
  ["less load is fewer instances", { load: load({ cores: 1.4 }) }, 3, /1\.40 cores/],
  ["never fewer than `min`", { load: load({ cores: 0 }) }, 2, /`min` is 2/],
  ["never fewer than were needed a little before", { load: load({ cores: 1 }), history: seen([4, 4]) }, 4, /up to 4 were needed within 5m/],
  ["what was needed longer ago does not count", { load: load({ cores: 1 }), history: seen([6, 4]) }, 2, /1\.00 cores/],
  ["none goes before the load was seen for long enough", { load: load({ cores: 1 }), history: null }, 4, /up to 4 were needed within 5m/],
  [
    "nor after nobody looked for a while",
    { load: load({ cores: 1 }), history: { needed: [{ atMs: -2 * minuteMs, count: 2 }], downAtMs: null } },
    4,
    /up to 4 were needed within 5m/,
  ],
  ["at most half go at once", { wanted: 10, load: load({ cores: 1 }) }, 5, /at most half/],
  [
    "and a minute passes before more do",
    { wanted: 5, load: load({ cores: 1 }), history: { ...seen(), downAtMs: -30_000 } },
    5,
    /some went less than 1m ago/,
  ],
  ["none goes while somebody did not say", { load: load({ cores: 0.5 }, "1 instance") }, 4, /not known: 1 instance/],
  ["who did not say stops nobody from coming", { load: load({ cores: 4 }, "1 instance") }, 8, /4\.00 cores/],
  ["without any figures nothing changes", { load: null }, 4, /nothing was measured yet/],
  ["without any figures `min` holds", { load: null, wanted: 1 }, 2, /`min` is 2/],
  ["none goes while a release replaces another", { load: load({ cores: 0 }), isRollingOut: true }, 4, /replaces another/],
  ["but some come", { load: load({ cores: 3 }), isRollingOut: true }, 6, /3\.00 cores/],
  ["a lower `max` holds at once", { wanted: 12, load: load({ cores: 9 }) }, 10, /9\.00 cores/],
  [
    "a queue asks for as many as its length takes",
    { rule: { ...rule, each: { metric: 100 }, metric: queue }, load: load({ metric: 730 }) },
    8,
    /jobs_waiting is 730, 100 for each/,
  ],
  [
    "a metric that nobody tells is no queue that is empty",
    { rule: { ...rule, each: { metric: 100 }, metric: queue }, load: load({}, "what jobs_waiting is") },
    4,
    /nobody tells jobs_waiting/,
  ],
  ["a command's number is meant as it was said", { wanted: 9, rule: asking, load: load({ command: 10 }) }, 10, /its command asks for 10/],
  ["more than it may ask for is told", { wanted: 9, rule: asking, load: load({ command: 70 }) }, 10, /asks for 70; `max` is 10/],
  ["none is not less than `min`", { rule: asking, load: load({ command: 0 }) }, 2, /asks for 0; `min` is 2/],
  [
    "what it asked for a little before stays",
    { rule: asking, load: load({ command: 2 }), history: seen([4, 4]) },
    4,
    /up to 4 were needed/,
  ],
  [
    "what a command counts is shared out as a metric is, and wavers as one",
    { wanted: 8, rule: { ...rule, each: { command: 100 } }, load: load({ command: 850 }) },
    8,
    /its command says 850, 100 for each instance/,
  ],
  [
    "a command that failed takes none away, and why is told",
    { rule: asking, load: load({}, "its command exited with 1: connection refused") },
    4,
    /its command exited with 1: connection refused; `min` is 2; none goes while something is not known: what its command says/,
  ],
  [
    "though it failed, what others ask for comes, and that it failed is told",
    {
      rule: { ...rule, each: { cores: 0.5, command: 1 } },
      load: { ...load({ cores: 3 }), command: { amount: 0, missing: "its command has not answered yet" } },
    },
    6,
    /3\.00 cores.*; its command has not answered yet/,
  ],
  [
    "of a command and the others the largest counts",
    { rule: { ...rule, each: { cores: 0.5, command: 1 } }, load: load({ cores: 3, command: 7 }) },
    7,
    /its command asks for 7/,
  ],
  [
    "of several the largest counts",
    { rule: { ...rule, each: { cores: 0.5, rps: 100 } }, load: load({ cores: 2, rps: 750 }) },
    8,
    /750\.0 requests\/s, 100\.0 requests\/s for each/,
  ],
  ["memory counts as cores do", { rule: { ...rule, each: { memoryBytes: 2 ** 20 } }, load: load({ memoryBytes: 7 * 2 ** 20 }) }, 7, /7MiB/],
  [
    "latency above its bound adds by its share",
    { rule: { ...rule, each: { latencyMs: 200 } }, load: load({ latencyMs: 400 }) },
    8,
    /400 ms/,
  ],
  [
    "however slow, it doubles at most",
    { rule: { ...rule, each: { latencyMs: 200 } }, load: load({ latencyMs: Number.POSITIVE_INFINITY }) },
    8,
    /more than 12800 ms/,
  ],
  [
    "latency within its bound changes nothing",
    { rule: { ...rule, each: { latencyMs: 200 } }, load: load({ latencyMs: 150 }) },
    4,
    /150 ms/,
  ],
  ["latency far below it takes one away", { rule: { ...rule, each: { latencyMs: 200 } }, load: load({ latencyMs: 50 }) }, 3, /50 ms/],
];

for (const [sentence, more, count, words] of rows)
  test(sentence, () => {
    const { count: got, because, held } = planAutoscale(input(more));
    assert.equal(got, count);
    assert.match(`${because}; ${held}`, words);
  });

test("in the hours of a schedule there are as many as it says, whatever the load", () => {
  const hours = { days: ["mon"], fromMinute: 8 * 60, untilMinute: 18 * 60, zone: "Etc/UTC" } as const;
  const scheduled: ScaleRule = { ...rule, each: {}, schedule: [{ hours, min: 6 }] };
  const at = (nowMs: number, wanted: number) => planAutoscale(input({ rule: scheduled, load: null, nowMs, wanted })).count;
  assert.equal(at(monday, 2), 6);
  assert.equal(at(monday + 24 * 60 * minuteMs, 4), 2, "on Tuesday it is `min` again");
});

test("what was not known counts as what there was: when all is known again, nothing goes for as long as ever", () => {
  const quiet = (atMs: number, history: ScaleHistory | null, missing: string | null = null) =>
    planAutoscale(input({ load: load({ cores: 1 }, missing), history, atMs }));
  let { history } = quiet(0, seen(), "the edge on m2");
  for (let atMs = lookEveryMs; atMs < rule.downAfterMs; atMs += lookEveryMs) {
    const decision = quiet(atMs, history);
    assert.equal(decision.count, 4, `after ${atMs} ms`);
    ({ history } = decision);
  }
  assert.equal(quiet(rule.downAfterMs, history).count, 2);
});

const arbitraryInput = fc
  .record({
    min: fc.integer({ min: 1, max: 20 }),
    more: fc.integer({ min: 0, max: 50 }),
    wanted: fc.integer({ min: 0, max: 100 }),
    cores: fc.option(fc.double({ min: 0, max: 100, noNaN: true })),
    isMissing: fc.boolean(),
    isRollingOut: fc.boolean(),
    needed: fc.array(fc.tuple(fc.integer({ min: 0, max: 10 }), fc.integer({ min: 1, max: 60 })), { maxLength: 5 }),
    isNew: fc.boolean(),
  })
  .map(({ min, more, wanted, cores, isMissing, isRollingOut, needed, isNew }) =>
    input({
      rule: { ...rule, min, max: min + more },
      wanted,
      load: cores === null ? null : load({ cores }, isMissing ? "1 instance" : null),
      isRollingOut,
      history: isNew ? null : seen(...needed),
    }),
  );

test("whatever happens: within the bounds, explained, and none goes unless all is known and was so for long enough", () => {
  fc.assert(
    fc.property(arbitraryInput, (one) => {
      const { count, needed, because, held } = planAutoscale(one);
      assert.ok(count <= one.rule.max && needed >= one.rule.min && needed <= one.rule.max);
      assert.ok(count >= Math.min(one.wanted, one.rule.min));
      assert.notEqual(because, "");
      assert.ok(count >= needed || held !== null, "why there are fewer than needed");
      if (count >= Math.min(one.wanted, one.rule.max)) return;
      assert.ok(one.load?.cores.missing === null && !one.isRollingOut && one.history !== null);
      assert.ok(one.history.needed.every((past) => past.atMs <= one.atMs - one.rule.downAfterMs || past.count <= count));
    }),
  );
});

test("under a load that stays it comes to rest, and then asks for nothing more", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 12, noNaN: true }), fc.integer({ min: 1, max: 20 }), (cores, start) => {
      let [wanted, history, changedAtMs]: [number, ScaleHistory | null, number] = [start, null, 0];
      for (let atMs = 0; atMs < 60 * minuteMs; atMs += lookEveryMs) {
        const decision = planAutoscale(input({ wanted, load: load({ cores }), history, atMs }));
        if (decision.count !== wanted) changedAtMs = atMs;
        ({ count: wanted, history } = decision);
      }
      assert.ok(changedAtMs < 20 * minuteMs);
      const exact = Math.min(10, Math.max(2, cores / 0.5));
      assert.ok(wanted >= Math.floor(exact / 1.1) && wanted <= Math.ceil(exact / 0.9), `${wanted} for ${exact}`);
      assert.ok((history?.needed.length ?? 0) <= 1 + rule.downAfterMs / lookEveryMs, "what is remembered has a bound");
    }),
    { numRuns: 50 },
  );
});

test("a rush in a trace is answered within seconds, and its end only after a while", () => {
  const trace: TracePoint[] = [
    { atMs: monday, cores: 1 },
    { atMs: monday + minuteMs, cores: 4 },
    { atMs: monday + 10 * minuteMs, cores: 1 },
    { atMs: monday + 30 * minuteMs },
  ];
  const { changes, most, shortMs, instanceMs } = simulateAutoscale(rule, 2, trace);
  const said = changes.map(({ atMs, from, to }) => `${(atMs - monday) / 1_000} ${from} → ${to}`);
  assert.deepEqual(said, ["60 2 → 6", "65 6 → 8", "895 8 → 4", "955 4 → 2"]);
  assert.deepEqual([most, shortMs], [8, lookEveryMs]);
  assert.equal(instanceMs, (60 * 2 + 5 * 6 + 830 * 8 + 60 * 4 + 845 * 2) * 1_000);
});

test("a trace of what a command prints is played as its answers", () => {
  const trace: TracePoint[] = [
    { atMs: monday, command: 3 },
    { atMs: monday + minuteMs, command: 5 },
    { atMs: monday + 2 * minuteMs, command: 3 },
    { atMs: monday + 10 * minuteMs },
  ];
  const { changes } = simulateAutoscale(asking, 3, trace);
  const said = changes.map(({ atMs, from, to, because }) => `${(atMs - monday) / 1_000} ${from} → ${to}: ${because}`);
  assert.deepEqual(said, ["60 3 → 5: its command asks for 5", "415 5 → 3: its command asks for 3"]);
});
