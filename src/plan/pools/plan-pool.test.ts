import assert from "node:assert/strict";
import { test } from "node:test";
import type { MachineId, PoolName, SpaceName } from "#model/names.ts";
import type { PoolRules } from "#model/pool.ts";
import { planPools } from "./plan-pools.ts";
import { comingMs, type PoolInput, type PoolMachine } from "./pool.ts";
import type { Shortage } from "./shortage.ts";

const minute = 60_000;
const nowMs = 100 * minute;
const rules: PoolRules = { min: 1, max: 10, waitMs: minute, busyShare: 0.9, busyMs: 5 * minute, idleMs: 20 * minute, grow: "auto" };
const name = "web" as PoolName;

/** web-N of 4 CPU and 8 GiB. */
function machine(number: number, more: Partial<PoolMachine> & { readonly usedCores?: number } = {}): PoolMachine {
  const { usedCores = 4, ...rest } = more;
  return {
    name: `web-${number}` as MachineId,
    state: "kept",
    sinceMs: 0,
    room: {
      cores: 4,
      memoryBytes: 8 * 2 ** 30,
      freeCores: 4 - usedCores,
      freeMemoryBytes: 8 * 2 ** 30,
      instances: usedCores,
      isOpen: true,
    },
    ...{ idleSinceMs: null, keptBy: null, isAbsent: false, trouble: null },
    ...rest,
  };
}
const idle = (number: number, forMs: number) => machine(number, { usedCores: 0, idleSinceMs: nowMs - forMs });
const short = (instances: number, cores: number, forMs: number, of = "shop.web"): Shortage => ({
  ...{ name: of, instances, cores, memoryBytes: 0, sinceMs: nowMs - forMs, pools: new Set([name]) },
});
const usual: PoolInput = {
  ...{ space: "default" as SpaceName, name, rules, machines: [machine(1), machine(2)], given: null, isMended: true },
  ...{ busySinceMs: null, heldBy: null, addedAtMs: [], changedAtMs: null, nowMs },
};
function plan({ shortages = [], ...more }: Partial<PoolInput> & { readonly shortages?: readonly Shortage[] }) {
  const found = planPools([{ ...usual, ...more }], shortages).get(name);
  assert.ok(found);
  return found;
}

test("what has waited for room long enough brings as many machines as it fills", () => {
  const { actions, why } = plan({ shortages: [short(7, 1, 3 * minute)] });
  assert.deepEqual(actions, [{ kind: "add", machines: ["web-3", "web-4"], reason: why }]);
  assert.equal(why, "7 instances of shop.web have waited 3 min");
});

test("what has just begun to wait is waited for", () => {
  const { actions, why, replanAtMs } = plan({ shortages: [short(1, 1, 59_000)] });
  assert.deepEqual([actions, replanAtMs], [[], nowMs + 1_000]);
  assert.equal(why, "1 instance of shop.web has waited 59 s; more machines are added after 1m");
});

test("machines on their way count, and nothing more is added for what they will take", () => {
  const machines = [machine(1), machine(2, { state: "coming", sinceMs: nowMs - minute, room: null })];
  assert.deepEqual(plan({ machines, shortages: [short(4, 1, 2 * minute)] }).actions, []);
  assert.match(plan({ machines, shortages: [short(4, 1, 2 * minute)] }).why, /web-2 is on the way$/);
  const more = plan({ machines: [machine(3), ...machines], shortages: [short(8, 1, 2 * minute)] });
  assert.deepEqual(more.actions, [{ kind: "add", machines: ["web-4"], reason: more.why }]);
});

test("a machine that does not come ends the adding until it does", () => {
  const machines = [machine(1), machine(2, { state: "coming", sinceMs: nowMs - comingMs, room: null })];
  const { actions, why } = plan({ machines, shortages: [short(40, 1, 20 * minute)] });
  assert.deepEqual(actions, []);
  assert.equal(why, "web-2 was to come 10 min ago and has not, so nothing more is added until it has");
});

test("at most as many as there are come at once, none beyond the most, and no more within an hour than are borne", () => {
  const shortages = [short(40, 4, 2 * minute)];
  const added = (more: Partial<PoolInput>) =>
    plan({ shortages, ...more }).actions.flatMap((action) => (action.kind === "add" ? action.machines : []));
  assert.deepEqual(added({}), ["web-3", "web-4"]);
  assert.deepEqual(added({ machines: [machine(2)], rules: { ...rules, max: 2 } }), ["web-1"], "the lowest number that is free");
  const full = plan({ shortages, rules: { ...rules, max: 2 } });
  assert.equal(full.need?.words, "add 40 machines of 4 CPU to pool web: 40 instances of shop.web have waited 2 min");
  assert.match(full.why, /it has 2 machines, the most that it may have/);
  const spent = plan({ shortages, addedAtMs: Array.from({ length: 20 }, () => nowMs - minute) });
  assert.match(spent.why, /20 machines were added within an hour/);
  assert.notEqual(spent.need, null);
});

test("a pool that asks says what is needed, and does nothing", () => {
  const { actions, need } = plan({ rules: { ...rules, grow: "ask" }, shortages: [short(7, 1, 3 * minute)] });
  assert.deepEqual(actions, []);
  assert.deepEqual(need, {
    machines: 2,
    words: "add 2 machines of 4 CPU to pool web: 7 instances of shop.web have waited 3 min",
  });
});

test("what no machine of the pool could take brings none, and says so", () => {
  const { actions, why, need } = plan({ shortages: [short(1, 16, 5 * minute)] });
  assert.deepEqual([actions, need], [[], null]);
  assert.match(why, /^no machine of web could take shop.web, which needs 16 CPU; the largest has 4 CPU and 8GiB; it has what is needed/);
});

test("machines that are full for long bring as many as make them less so", () => {
  const busy = { machines: [machine(1), machine(2), machine(3)], rules: { ...rules, busyShare: 0.6 } };
  assert.deepEqual(plan({ ...busy, busySinceMs: nowMs - minute }).actions, []);
  const [action] = plan({ ...busy, busySinceMs: nowMs - 5 * minute }).actions;
  assert.deepEqual(action, { kind: "add", machines: ["web-4", "web-5"], reason: "its machines are above 60% of what they have" });
});

test("while a run or a person is at work on the pool nothing changes", () => {
  const heldBy = "a run of the ladder is at work on machine/web-1";
  const grown = plan({ heldBy, shortages: [short(7, 1, 3 * minute)] });
  const shrunk = plan({ heldBy, machines: [machine(1), idle(2, 60 * minute)] });
  assert.deepEqual([grown.actions, shrunk.actions], [[], []]);
  assert.match(grown.why, /a run of the ladder is at work on machine\/web-1, so its number stays$/);
});

test("of machines that run nothing for long enough the last goes, one at a time, and never below the least", () => {
  const machines = [machine(1), idle(2, 30 * minute), idle(3, 21 * minute)];
  assert.deepEqual(plan({ machines }).actions, [{ kind: "leave", machine: "web-3", reason: "web-3 has run nothing for 21m" }]);
  assert.deepEqual(plan({ machines: machines.map((one) => (one === machines[2] ? { ...one, state: "leaving" } : one)) }).actions, []);
  assert.match(plan({ machines, rules: { ...rules, min: 3 } }).why, /3 machines are the least/);
  assert.match(plan({ machines, rules: { ...rules, idleMs: null } }).why, /take nothing away/);
  assert.deepEqual(plan({ machines: [machine(1, { usedCores: 2 }), idle(2, 19 * minute)] }).replanAtMs, nowMs + minute);
  assert.deepEqual(plan({ machines, changedAtMs: nowMs - minute }).actions, [], "and not right after something changed");
});

test("nothing goes while anything waits for room, or if the rest would be close to full", () => {
  const machines = [machine(1), idle(2, 60 * minute)];
  assert.deepEqual(plan({ machines, shortages: [short(1, 1, 1_000)] }).actions, []);
  assert.match(plan({ machines }).why, /without it the others would be close to 90%/);
});

test("what waits although there is room has not been placed yet, and brings nothing", () => {
  const { actions, why } = plan({ machines: [machine(1), machine(2, { usedCores: 1 })], shortages: [short(3, 1, 2 * minute)] });
  assert.deepEqual([actions, why], [[], "3 instances of shop.web have waited 2 min; its machines have room"]);
});

test("a machine that was leaving stays when work comes", () => {
  const machines = [machine(1), machine(2, { state: "leaving", usedCores: 0 })];
  const [action] = plan({ machines, shortages: [short(1, 1, 2 * minute)] }).actions;
  assert.deepEqual([action?.kind, action?.kind === "stay" && action.machine], ["stay", "web-2"]);
});

test("nobody but the rules makes the least where no ladder does, all of them at once, and a machine that vanished is made again", () => {
  const rest = { ...rules, min: 3 };
  const absent = [1, 2, 3].map((number) => machine(number, { isAbsent: true, room: null }));
  const begin = plan({ machines: absent, rules: rest, isMended: false });
  assert.deepEqual(begin.actions, [{ kind: "add", machines: ["web-1", "web-2", "web-3"], reason: "3 machines are the least" }]);
  assert.deepEqual(plan({ machines: absent, rules: rest }).actions, [], "a ladder mends them");
  const vanished = plan({ machines: [machine(1), ...absent.slice(1, 2), machine(3)], rules: rest, isMended: false });
  assert.deepEqual(vanished.actions, [{ kind: "add", machines: ["web-2"], reason: "3 machines are the least" }]);
});

test("a machine with volumes of an app, one that somebody keeps from work, and one that does not answer are not taken away", () => {
  const stays = (more: Partial<PoolMachine>) => plan({ machines: [machine(1, { usedCores: 1 }), { ...idle(2, 60 * minute), ...more }] });
  assert.equal(stays({}).actions.length, 1);
  const cordoned = idle(2, 60 * minute).room;
  assert.ok(cordoned);
  for (const [more, why] of [
    [{ keptBy: "it has volumes of an app" }, /web-2 stays: it has volumes of an app/],
    [{ room: { ...cordoned, isOpen: false } }, /web-2 stays: somebody said that it takes nothing new/],
    [{ room: null }, /web-2 stays: its agent does not answer/],
  ] as const) {
    const found = stays(more);
    assert.deepEqual(found.actions, []);
    assert.match(found.why, why);
  }
});

test("a machine that got a volume while it was drained stays", () => {
  const machines = [machine(1), machine(2, { state: "leaving", usedCores: 0, keptBy: "it has volumes of an app" })];
  assert.deepEqual(plan({ machines }).actions, [{ kind: "stay", machine: "web-2", reason: "it has volumes of an app" }]);
});

test("a machine whose provider was told to take it away does not stay after all, and counts until it is gone", () => {
  const machines = [machine(1), machine(2, { state: "going", usedCores: 0 })];
  const shortages = [short(4, 1, 2 * minute)];
  assert.deepEqual(plan({ machines, shortages }).actions[0], {
    kind: "add",
    machines: ["web-3"],
    reason: "4 instances of shop.web have waited 2 min",
  });
  const full = plan({ machines, shortages, rules: { ...rules, max: 2 } });
  assert.deepEqual(full.actions, []);
  assert.match(full.why, /it has 2 machines, the most/);
});

test("one machine that has not come and that nothing waits for any more is taken away again, and the others may leave after it", () => {
  const lost = machine(2, { state: "coming", sinceMs: nowMs - comingMs, room: null });
  assert.deepEqual(plan({ machines: [machine(1), lost] }).actions, [
    { kind: "leave", machine: "web-2", reason: "web-2 has not come, and nothing waits for it any more" },
  ]);
  assert.deepEqual(plan({ machines: [machine(1), { ...lost, sinceMs: nowMs - minute }] }).actions, [], "it may still come");
  const least = plan({ machines: [machine(1), lost], rules: { ...rules, min: 2 } });
  assert.deepEqual(least.actions, [], "it is one of the least");
});

test("no more machines are on their way than there are, however often it is looked", () => {
  const shortages = [short(80, 4, 2 * minute)];
  const coming = [2, 3].map((number) => machine(number, { state: "coming", room: null, sinceMs: nowMs - 2_000 }));
  assert.deepEqual(plan({ machines: [machine(1), machine(4), ...coming], shortages }).actions, []);
  assert.equal(plan({ machines: [machine(1), machine(4), ...coming.slice(1)], shortages }).actions.length, 1);
});

test("metal that cannot be switched on is given back, the next number is taken, and when there is none people are asked", () => {
  const given = { count: 3, unusable: new Set<MachineId>() };
  const shortages = [short(4, 1, 2 * minute)];
  const silent = machine(2, { state: "coming", room: null, sinceMs: nowMs - minute, trouble: "10.1.0.12 cannot be asked" });
  assert.deepEqual(plan({ machines: [machine(1), silent], given, shortages }).actions, [
    { kind: "leave", machine: "web-2", reason: "web-2 does not come: 10.1.0.12 cannot be asked" },
  ]);
  const unusable = new Set(["web-2" as MachineId]);
  const next = plan({ machines: [machine(1)], given: { count: 3, unusable }, shortages });
  assert.deepEqual(
    next.actions.map((action) => action.kind === "add" && action.machines),
    [["web-3"]],
  );
  const none = plan({ machines: [machine(1)], given: { count: 2, unusable }, shortages });
  assert.deepEqual(none.actions, []);
  assert.match(`${none.why} ${none.need?.words}`, /none of its other 1 machines can be had now add 1 machine of 4 CPU to pool web/);
});

test("what no machine could take does not keep the pool from shrinking", () => {
  const machines = [machine(1, { usedCores: 1 }), idle(2, 60 * minute)];
  const { actions, why } = plan({ machines, shortages: [short(1, 128, 60 * minute)] });
  assert.deepEqual(
    actions.map(({ kind }) => kind),
    ["leave"],
  );
  assert.match(why, /no machine of web could take shop.web, which needs 128 CPU.*web-2 has run nothing for 1h/);
});
