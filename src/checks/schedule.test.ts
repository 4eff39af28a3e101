import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { CheckResult } from "#model/check.ts";
import type { ScheduledCheck } from "#model/check-orders.ts";
import type { DroverError } from "#model/errors.ts";
import type { CheckId } from "#model/names.ts";
import type { CommandEnd, RunCheckCommand } from "./finding.ts";
import { CheckSchedule } from "./schedule.ts";

function commandCheck(name: string, more: Partial<ScheduledCheck> = {}): ScheduledCheck {
  return {
    id: `${name}@space` as CheckId,
    test: { kind: "command", run: name, env: {}, output: "exit" },
    target: "",
    address: null,
    everyMs: 10_000,
    timeoutMs: 2_000,
    ...more,
  };
}

/** A schedule on a virtual clock, whose commands end as the test says. */
async function withSchedule(
  run: RunCheckCommand,
  work: (parts: {
    readonly schedule: CheckSchedule;
    readonly clock: VirtualClock;
    readonly results: CheckResult[];
    readonly impossible: (readonly [CheckId, DroverError | null])[];
    readonly pass: (ms: number) => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const results: CheckResult[] = [];
  const impossible: (readonly [CheckId, DroverError | null])[] = [];
  const schedule = new CheckSchedule(
    {
      probe: "m1",
      resolve: async () => ({ address: "192.0.2.1", family: 4 }),
      runCommand: run,
      countLogs: null,
      clock,
      random: () => 0.5,
      onResult: (result) => results.push(result),
      onImpossible: (check, error) => impossible.push([check, error]),
    },
    stop.signal,
  );
  await work({ schedule, clock, results, impossible, pass: (ms) => clock.advance(ms) });
  stop.abort();
  await schedule.stopped();
}

const well: CommandEnd = { exitCode: 0, output: "" };

test("checks are made at their intervals, each with its probe and time", () =>
  withSchedule(
    async () => well,
    async ({ schedule, results, pass }) => {
      schedule.set([commandCheck("one"), commandCheck("two", { everyMs: 30_000 })]);
      await pass(61_000);
      const times = (name: string) => results.filter(({ check }) => check === `${name}@space`).length;
      assert.equal(times("one"), 7);
      assert.equal(times("two"), 3);
      assert.equal(results[0]?.probe, "m1");
    },
  ));

test("a result is of the time at which its attempt began, however long that took", () => {
  const ends: (() => void)[] = [];
  return withSchedule(
    () => new Promise((resolve) => ends.push(() => resolve(well))),
    async ({ schedule, clock, results, pass }) => {
      schedule.set([commandCheck("slow")]);
      await pass(1_000);
      const begunByMs = clock.nowMs();
      await pass(900);
      ends[0]?.();
      await pass(50);
      assert.ok(results[0] !== undefined && results[0].atMs <= begunByMs);
    },
  );
});

test("one that hangs fails when its time is over, and is not made twice at once", () => {
  let underWay = 0;
  let most = 0;
  return withSchedule(
    (_run, _env, signal) =>
      new Promise((resolve) => {
        most = Math.max(most, ++underWay);
        signal.addEventListener("abort", () => {
          underWay--;
          resolve({ exitCode: null, output: "" });
        });
      }),
    async ({ schedule, results, pass }) => {
      schedule.set([commandCheck("hangs", { everyMs: 1_000, timeoutMs: 5_000 })]);
      await pass(20_000);
      assert.equal(most, 1);
      assert.ok(results.length >= 3);
      for (const result of results) assert.deepEqual([result.isOk, result.message], [false, "the command took too long"]);
    },
  );
});

test("one that does not even end when it is told to is a failure all the same", () =>
  withSchedule(
    () => new Promise(() => {}),
    async ({ schedule, results, pass }) => {
      schedule.set([commandCheck("deaf")]);
      await pass(4_000);
      assert.deepEqual(
        results.map(({ isOk, message }) => [isOk, message]),
        [[false, "no answer in time"]],
      );
    },
  ));

test("a check that was taken away says nothing any more, and one that stays keeps its place in time", () => {
  const ends: (() => void)[] = [];
  return withSchedule(
    () => new Promise((resolve) => ends.push(() => resolve(well))),
    async ({ schedule, results, pass }) => {
      const stays = commandCheck("stays", { timeoutMs: 60_000 });
      schedule.set([stays, commandCheck("goes", { timeoutMs: 60_000 })]);
      await pass(600);
      assert.equal(ends.length, 2);
      schedule.set([stays]);
      for (const end of ends) end();
      await pass(100);
      assert.deepEqual(
        results.map(({ check }) => check),
        ["stays@space"],
      );
      assert.equal(ends.length, 2);
    },
  );
});

test("a check that cannot be made is told as that, never as a failure, until it can be made", () => {
  let isBroken = true;
  return withSchedule(
    async () => {
      if (isBroken) throw new Error("no such user");
      return well;
    },
    async ({ schedule, results, impossible, pass }) => {
      schedule.set([commandCheck("odd")]);
      await pass(1_000);
      assert.deepEqual(results, []);
      assert.equal(impossible.length, 1);
      assert.equal(impossible[0]?.[1]?.message, 'check "odd@space" broke off');
      isBroken = false;
      await pass(12_000);
      assert.equal(results.length, 1);
      assert.deepEqual(impossible.at(-1), ["odd@space", null]);
    },
  );
});

test("of thousands that are due together only so many are under way at once, and all get their turn", () => {
  let underWay = 0;
  let most = 0;
  return withSchedule(
    async (_run, _env, _signal) => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay--;
      return well;
    },
    async ({ schedule, results, pass }) => {
      schedule.set(Array.from({ length: 3_000 }, (_, i) => commandCheck(`c${i}`)));
      for (let i = 0; i < 40 && results.length < 3_000; i++) await pass(100);
      assert.equal(new Set(results.map(({ check }) => check)).size, 3_000);
      assert.ok(most <= 256, `${most} at once`);
    },
  );
});
