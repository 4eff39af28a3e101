import assert from "node:assert/strict";
import { test } from "node:test";
import type { ScaleActivity, ScaleLoad, ScaleRule } from "#model/scale.ts";
import { planAutoscale, type ScaleHistory, type ScaleInput } from "./plan-autoscale.ts";
import { simulateAutoscale } from "./simulate-autoscale.ts";

const minuteMs = 60_000;
/** A Monday, 10:00 UTC. */
const monday = Date.UTC(2026, 10, 23, 10);
const rule: ScaleRule = { min: 0, max: 4, each: { rps: 10 }, schedule: [], downAfterMs: minuteMs, idleAfterMs: 10 * minuteMs };
const rps = (amount: number, metric = 0): ScaleLoad => {
  const nothing = { amount: 0, missing: null };
  return {
    cores: nothing,
    memoryBytes: nothing,
    rps: { amount, missing: null },
    latencyMs: nothing,
    metric: { amount: metric, missing: null },
    command: nothing,
  };
};
const asking: ScaleRule = { ...rule, each: { command: 1 } };
const unsaid: ScaleLoad = { ...rps(0), command: { amount: 0, missing: "its command exited with 1" } };
const idle: ScaleActivity = { isBusy: false, missing: null };
/** Looked at five seconds ago; asked for so many minutes ago. */
const since = (minutes: number): ScaleHistory => ({ needed: [{ atMs: -5_000, count: 1 }], downAtMs: null, busyAtMs: -minutes * minuteMs });

const rows: readonly (readonly [sentence: string, more: Partial<ScaleInput>, count: number, words: RegExp])[] = [
  ["none is left once nobody asked for it for so long", { history: since(10) }, 0, /nobody asked for it for 10m/],
  ["one stays before that", { history: since(9) }, 1, /one stays until nobody asked for it for 10m/],
  ["more than one go at once when nobody asks: none of them bears anything", { wanted: 3, history: since(10) }, 0, /nobody asked/],
  ["a request keeps it", { activity: { isBusy: true, missing: null }, history: since(60) }, 1, /one stays until/],
  [
    "what is not known keeps it",
    { activity: { isBusy: false, missing: "what the edge on m2 serves" }, history: since(60) },
    1,
    /not known what the edge on m2 serves/,
  ],
  ["what was not measured keeps it", { activity: null, history: since(60) }, 1, /one stays/],
  [
    "a look after a long time in which nobody looked begins anew",
    { history: { ...since(60), needed: [{ atMs: -2 * minuteMs, count: 1 }] } },
    1,
    /one stays/,
  ],
  ["none goes while a release replaces another", { isRollingOut: true, history: since(60) }, 1, /./],
  ["what waits in a queue keeps it", { rule: { ...rule, each: { metric: 5 } }, load: rps(0, 3), history: since(60) }, 1, /metric is 3/],
  [
    "without instances it stays so, whatever its figures",
    { wanted: 0, load: rps(30), history: since(60) },
    0,
    /the first request starts one/,
  ],
  [
    "what waits in a queue wakes it, as many as it takes, though nobody asks at the edge",
    { wanted: 0, rule: { ...rule, each: { metric: 5 } }, load: rps(0, 13), history: since(60) },
    1,
    /metric is 13, 5 for each instance.*the next look adds more/,
  ],
  [
    "a queue that nobody tells of wakes nothing",
    {
      wanted: 0,
      rule: { ...rule, each: { metric: 5 } },
      load: { ...rps(0), metric: { amount: 9, missing: "what it is" } },
      history: since(60),
    },
    0,
    /nobody asks/,
  ],
  [
    "a command that asks for some wakes it",
    { wanted: 0, rule: asking, load: { ...rps(0), command: { amount: 3, missing: null } }, history: since(60) },
    1,
    /its command asks for 3.*the next look adds more/,
  ],
  ["one that asks for none lets it sleep", { rule: asking, load: rps(0), history: since(60) }, 0, /nobody asked for it for 10m/],
  ["one that does not say wakes nothing, and puts nothing to sleep", { rule: asking, load: unsaid, history: since(60) }, 1, /one stays/],
  ["and of none makes none", { wanted: 0, rule: asking, load: unsaid, history: since(60) }, 0, /what waits is not known/],
  [
    "a schedule wakes it too",
    { wanted: 0, rule: { ...rule, schedule: [{ hours: { days: ["mon"], fromMinute: 0, untilMinute: 1_440, zone: "Etc/UTC" }, min: 2 }] } },
    2,
    /./,
  ],
  ["under load it follows that as any other", { load: rps(35), history: since(0) }, 4, /35\.0 requests/],
];

for (const [sentence, more, count, words] of rows)
  test(sentence, () => {
    const decision = planAutoscale({
      rule,
      wanted: 1,
      load: rps(0),
      activity: idle,
      isRollingOut: false,
      history: since(0),
      atMs: 0,
      nowMs: monday,
      ...more,
    });
    assert.equal(decision.count, count, decision.because);
    assert.match(`${decision.because}; ${decision.held}`, words);
  });

test("after it was woken its idle time begins with the first look", () => {
  const common = { rule, load: rps(0), activity: idle, isRollingOut: false, nowMs: monday };
  const asleep = planAutoscale({ ...common, wanted: 0, history: since(60), atMs: 0 });
  const awake = planAutoscale({ ...common, wanted: 1, history: asleep.history, atMs: 5_000 });
  assert.equal(awake.count, 1);
  assert.equal(awake.history.busyAtMs, 0);
});

test("a trace with silences plays as sleeping and waking", () => {
  const point = (minutes: number, amount: number) => ({ atMs: monday + minutes * minuteMs, rps: amount });
  const { changes, instanceMs } = simulateAutoscale(rule, 1, [point(0, 5), point(5, 0), point(60, 1), point(61, 0), point(62, 0)]);
  assert.deepEqual(
    changes.map(({ from, to, because }) => `${from} → ${to}: ${because}`),
    ["1 → 0: nobody asked for it for 10m", "0 → 1: a request waits for it"],
  );
  assert.ok(instanceMs < 20 * minuteMs);
});
