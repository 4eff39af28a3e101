import assert from "node:assert/strict";
import { test } from "node:test";
import type { CheckState, Weekday, WeeklyHours } from "#model/check.ts";
import type { CheckId } from "#model/names.ts";
import { check, t0, twoPools } from "../testing/ladder-world.ts";
import { expandChecks } from "./expand.ts";
import { hoursAt, silentChecks } from "./expected-hours.ts";
import { foldResult, unknownState } from "./fold-result.ts";
import { findSuspects } from "./suspects.ts";

const id = "smoke@app/shop" as CheckId;
const twice = check("smoke", "app", "app", { failures: 2, everyMs: 10_000, timeoutMs: 5_000 });

/** Folds `ok`/`no` from a probe, ten seconds apart unless it says so: `server ok`, `edge no`. */
function fold(results: readonly string[], { at = (i: number) => i * 10_000, ignored = new Set<string>() } = {}) {
  let state = unknownState(id, t0);
  const changes: string[] = [];
  for (const [i, result] of results.entries()) {
    const [probe = "", word] = result.split(" ");
    const folded = foldResult(
      state,
      twice,
      { check: id, probe, atMs: t0 + at(i), isOk: word === "ok", message: `${probe} says ${word}` },
      (one) => ignored.has(one),
    );
    state = folded.state;
    if (folded.change !== null) changes.push(`${(folded.change.atMs - t0) / 1_000}: ${folded.change.from} → ${folded.change.to}`);
  }
  return { state, changes };
}

test("a check is failing after its number of failures in a row, and well after one success", () => {
  assert.deepEqual(fold(["a ok", "a no", "a ok", "a no", "a no", "a no", "a ok"]).changes, [
    "0: unknown → ok",
    "40: ok → failing",
    "60: failing → ok",
  ]);
});

test("what a plugin measured goes with what its probe found, and not with the next finding that has none", () => {
  const result = { check: id, probe: "a", atMs: t0, isOk: true, message: "ok" };
  const { state } = foldResult(unknownState(id, t0), twice, { ...result, performance: "/=60%" });
  assert.equal(state.probes["a"]?.performance, "/=60%");
  assert.equal("performance" in (foldResult(state, twice, result).state.probes["a"] ?? {}), false);
});

test("a check that never answered is unknown until it failed often enough", () => {
  assert.deepEqual(fold(["a no"]).changes, []);
  assert.deepEqual(fold(["a no", "a no"]).changes, ["10: unknown → failing"]);
});

test("a majority of the places decides, and in a tie the check does not fail", () => {
  const together = { at: (i: number) => Math.floor(i / 3) * 10_000 + (i % 3) };
  assert.equal(fold(["a no", "b ok", "c ok", "a no", "b ok", "c ok"], together).state.verdict, "ok");
  assert.equal(fold(["a no", "b no", "c ok", "a no", "b no", "c ok"], together).state.verdict, "failing");
  const pairs = { at: (i: number) => Math.floor(i / 2) * 10_000 + (i % 2) };
  assert.equal(fold(["a no", "b ok", "a no", "b ok"], pairs).state.verdict, "ok");
});

test("a place that went silent has no say after three intervals", () => {
  const { state } = fold(["b ok", "a no", "a no", "a no", "a no", "a no"]);
  assert.equal(state.verdict, "failing");
  assert.deepEqual(Object.keys(state.probes), ["a"]);
});

test("a probe that is not believed is recorded and does not decide", () => {
  const { state } = fold(["a ok", "b no", "b no"], { ignored: new Set(["b"]) });
  assert.equal(state.verdict, "ok");
  assert.equal(state.probes["b"]?.failures, 2);
});

test("a late result changes nothing", () => {
  const { state } = fold(["a ok", "a no", "a no"]);
  const late = foldResult(state, twice, { check: id, probe: "a", atMs: t0 + 5_000, isOk: true, message: "late" });
  assert.deepEqual(late, { state, change: null });
});

test("the verdict says since when it holds, and by whose words", () => {
  const { state } = fold(["a ok", "a no", "a no", "a no"]);
  assert.equal(state.sinceMs, t0 + 20_000);
  assert.equal(state.atMs, t0 + 30_000);
  assert.equal(state.message, "a says no");
  assert.equal(state.isPassing, false);
});

test("six changes within half an hour are flapping", () => {
  const flutter = Array.from({ length: 4 }, () => ["a no", "a no", "a ok"]).flat();
  assert.equal(fold(["a ok", ...flutter.slice(0, 6)]).state.isFlapping, false);
  assert.equal(fold(["a ok", ...flutter]).state.isFlapping, true);
  assert.equal(fold(["a ok", ...flutter], { at: (i) => i * 300_000 }).state.isFlapping, false);
});

test("a check without a result is unknown, and neither passes nor flaps", () => {
  const { verdict, isPassing, isFlapping, message } = unknownState(id, t0);
  assert.deepEqual([verdict, isPassing, isFlapping, message], ["unknown", false, false, "no result yet"]);
});

test("where no probe is doubted each has its say", () => {
  const result = { check: id, probe: "a", atMs: t0, isOk: true, message: "fine" };
  assert.equal(foldResult(unknownState(id, t0), twice, result).state.verdict, "ok");
});

test("a check is as new as its newest result, whichever probe it is from", () => {
  const { state } = fold(["a ok", "b ok"], { at: (i) => (i === 0 ? 40_000 : 30_000) });
  assert.equal(state.atMs, t0 + 40_000);
});

test("a check passes when half of the places that are believed say so", () => {
  const together = { at: (i: number) => i };
  assert.equal(fold(["a ok"]).state.isPassing, true);
  assert.equal(fold(["a no", "b ok"], together).state.isPassing, true);
  assert.equal(fold(["a no", "b ok", "c no"], together).state.isPassing, false);
  assert.equal(fold(["a ok", "b no", "c no"], { ...together, ignored: new Set(["b", "c"]) }).state.isPassing, true);
  assert.equal(fold(["a ok"], { ignored: new Set(["a"]) }).state.isPassing, false);
});

test("the words of a verdict are from a place that says the same", () => {
  const together = { at: (i: number) => Math.floor(i / 3) * 10_000 + (i % 3) };
  assert.equal(fold(["a no", "b no", "c ok", "a no", "b no", "c ok"], together).state.message, "a says no");
});

test("what nobody says who is believed changes no verdict", () => {
  const { state } = fold(["a no", "a no"]);
  const result = { check: id, probe: "a", atMs: t0 + 20_000, isOk: true, message: "fine" };
  assert.equal(foldResult(state, twice, result, () => true).state.verdict, "failing");
});

test("a check is made for each of its targets, or for the one app that it names", () => {
  const ids = (each: "space" | "pool" | "machine" | "app", app: string | null = null) =>
    expandChecks([check("c", each, null, { app })], twoPools).map((one) => one.id);
  assert.deepEqual(ids("space"), ["c@space"]);
  assert.deepEqual(ids("pool"), ["c@pool/web", "c@pool/db"]);
  assert.deepEqual(ids("machine"), ["c@machine/m1", "c@machine/m2", "c@machine/m3", "c@machine/m4"]);
  assert.deepEqual(ids("app"), ["c@app/shop", "c@app/store"]);
  assert.deepEqual(ids("app", "shop"), ["c@app/shop"]);
});

const all: readonly Weekday[] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const berlin = (from: number, until: number, days: readonly Weekday[] = all): WeeklyHours => ({
  days,
  fromMinute: from * 60,
  untilMinute: until * 60,
  zone: "Europe/Berlin",
});
const at = (text: string) => Date.parse(text);
const hours = (window: WeeklyHours, text: string) => {
  const { isOpen, untilMs } = hoursAt(window, at(text));
  return `${isOpen ? "open" : "closed"} until ${untilMs === null ? "ever" : new Date(untilMs).toISOString().replace(":00.000Z", "Z")}`;
};

const windows: readonly (readonly [what: string, window: WeeklyHours, now: string, says: string])[] = [
  ["inside office hours in winter", berlin(8, 18), "2027-01-04T12:00:00Z", "open until 2027-01-04T17:00Z"],
  ["the same in summer, an hour earlier in UTC", berlin(8, 18), "2027-07-05T12:00:00Z", "open until 2027-07-05T16:00Z"],
  ["before office hours", berlin(8, 18), "2027-01-04T06:59:59Z", "closed until 2027-01-04T07:00Z"],
  ["their end is outside", berlin(8, 18), "2027-01-04T17:00:00Z", "closed until 2027-01-05T07:00Z"],
  ["on a weekend", berlin(8, 18, ["mon", "tue", "wed", "thu", "fri"]), "2027-01-09T12:00:00Z", "closed until 2027-01-11T07:00Z"],
  ["over midnight: the evening", berlin(22, 6, ["fri"]), "2027-01-08T22:00:00Z", "open until 2027-01-09T05:00Z"],
  ["over midnight: the morning after", berlin(22, 6, ["fri"]), "2027-01-09T04:00:00Z", "open until 2027-01-09T05:00Z"],
  ["over midnight: the evening after is outside", berlin(22, 6, ["fri"]), "2027-01-09T22:00:00Z", "closed until 2027-01-15T21:00Z"],
  ["the whole of every day", { ...berlin(0, 24), untilMinute: 1440 }, "2027-01-09T22:00:00Z", "open until ever"],
  ["one whole day", { ...berlin(0, 24, ["wed"]), untilMinute: 1440 }, "2027-01-06T12:00:00Z", "open until 2027-01-06T23:00Z"],
  // On 28 March 2027 at 02:00 clocks go to 03:00; on 31 October at 03:00 back to 02:00.
  [
    "a window that the clocks jump into begins at the jump",
    { ...berlin(2, 5), fromMinute: 150 },
    "2027-03-28T00:30:00Z",
    "closed until 2027-03-28T01:00Z",
  ],
  ["a window over the jump is an hour shorter", berlin(1, 5), "2027-03-28T00:30:00Z", "open until 2027-03-28T03:00Z"],
  ["a window over the hour that comes twice is an hour longer", berlin(1, 5), "2027-10-31T00:30:00Z", "open until 2027-10-31T04:00Z"],
  [
    "a window within the hour that comes twice comes twice",
    { ...berlin(2, 3), untilMinute: 150 },
    "2027-10-31T00:10:00Z",
    "open until 2027-10-31T00:30Z",
  ],
  ["and again", { ...berlin(2, 3), untilMinute: 150 }, "2027-10-31T00:40:00Z", "closed until 2027-10-31T01:00Z"],
  [
    "a zone of half hours",
    { days: all, fromMinute: 540, untilMinute: 600, zone: "Asia/Kolkata" },
    "2027-01-04T03:00:00Z",
    "closed until 2027-01-04T03:30Z",
  ],
  [
    "a zone west of Greenwich",
    { days: ["sun"], fromMinute: 1200, untilMinute: 1440, zone: "America/New_York" },
    "2027-01-11T02:00:00Z",
    "open until 2027-01-11T05:00Z",
  ],
  ["UTC", { days: all, fromMinute: 60, untilMinute: 120, zone: "UTC" }, "2027-01-11T01:59:59Z", "open until 2027-01-11T02:00Z"],
];
for (const [what, window, now, says] of windows)
  test(`expected hours: ${what}`, () => {
    assert.equal(hours(window, now), says);
  });

test("checks outside of their hours and in maintenance are silent, until the next of those changes", () => {
  const nowMs = at("2027-01-04T12:00:00Z");
  const silent = silentChecks(
    [
      check("day", "space", null, { expected: berlin(8, 18) }),
      check("night", "space", null, { expected: berlin(22, 6) }),
      check("weekly", "space", null, { maintenance: [{ kind: "weekly", hours: berlin(12, 14) }] }),
      check("once", "space", null, { maintenance: [{ kind: "once", fromMs: nowMs - 1, untilMs: nowMs + 1_000 }] }),
      check("later", "space", null, { maintenance: [{ kind: "once", fromMs: nowMs + 1, untilMs: nowMs + 1_000 }] }),
      check("over", "space", null, { maintenance: [{ kind: "once", fromMs: nowMs - 9, untilMs: nowMs }] }),
      check("always", "space", null),
    ],
    nowMs,
  );
  assert.deepEqual([...silent.checks], ["night", "weekly", "once"]);
  assert.equal(silent.untilMs, nowMs + 1);
  assert.deepEqual(silentChecks([check("always", "space", null)], nowMs), { checks: new Set(), untilMs: null });
});

function seen(probes: Readonly<Record<string, boolean>>): CheckState {
  const views = Object.entries(probes).map(([probe, isOk]) => [probe, { atMs: t0, isOk, failures: isOk ? 0 : 2, message: "" }]);
  return { ...unknownState(id, t0), probes: Object.fromEntries(views) };
}

test("a probe at which most fails that others see passing is not believed", () => {
  const cut = Array.from({ length: 5 }, (_, i) => seen({ a: true, b: true, c: i === 0 }));
  assert.deepEqual([...findSuspects(cut, 0.8)], ["c"]);
  assert.deepEqual([...findSuspects(cut, 0.9)], []);
  assert.deepEqual([...findSuspects(cut.slice(0, 2), 0.5)], [], "two checks prove nothing");
  assert.deepEqual(
    [
      ...findSuspects(
        Array.from({ length: 5 }, () => seen({ a: false, b: false })),
        0.8,
      ),
    ],
    [],
    "what fails everywhere fails",
  );
});

test("a probe that makes too few checks with others, or makes them alone, is believed", () => {
  const alone = Array.from({ length: 5 }, () => seen({ c: false }));
  assert.deepEqual([...findSuspects(alone, 0.8)], []);
  const few = Array.from({ length: 3 }, () => seen({ a: true, c: false }));
  assert.deepEqual([...findSuspects(few, 0.8)], ["c"], "three prove it");
  const split = Array.from({ length: 5 }, () => seen({ a: true, b: false, c: false }));
  assert.deepEqual([...findSuspects(split, 0.8)], [], "half of the others are no majority");
});

test("a check flaps from the sixth change within half an hour on", () => {
  const every = (ms: number) => ({ at: (i: number) => i * ms });
  const results = ["a ok", "a no", "a no", "a ok", "a no", "a no", "a ok", "a no", "a no", "a ok"];
  const calm = fold(results.slice(0, 9), every(10_000)).state;
  assert.deepEqual([calm.isFlapping, calm.changesAtMs.length], [false, 5]);
  assert.equal(fold(results, every(10_000)).state.isFlapping, true);
  const first = fold([...results.slice(0, 9), "a ok"], { at: (i) => (i < 9 ? i * 10_000 : 20_000 + 30 * 60_000 - 1) });
  assert.equal(first.state.isFlapping, true, "just within");
  const late = fold([...results.slice(0, 9), "a ok"], { at: (i) => (i < 9 ? i * 10_000 : 20_000 + 30 * 60_000) });
  assert.equal(late.state.isFlapping, false, "the first of them is forgotten");
});
