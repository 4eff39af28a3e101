import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { MachineId, SpaceName } from "#model/names.ts";
import type { NewEvent } from "../events/event-log.ts";
import { destinationsOf } from "./destinations.ts";
import { Trouble } from "./trouble.ts";

const machine = "m1" as MachineId;

function setUp() {
  const clock = new VirtualClock();
  const told: NewEvent[] = [];
  const ship = { lake: { http: "https://lake.example" } };
  const [destination] = destinationsOf({ name: "shop" as SpaceName, domain: "", env: {}, createdAtMs: 0, logs: { ship } });
  assert.ok(destination !== undefined);
  const append = (event: NewEvent) => {
    told.push(event);
    return { ...event, sequence: told.length, atMs: 0, space: null, app: null, subject: null, details: {}, by: null };
  };
  const trouble = new Trouble({ destination, events: { append }, clock });
  return { clock, told, trouble, codes: () => trouble.problems.map(({ code }) => code), kinds: () => told.map(({ kind }) => kind) };
}

test("people are told of a receiver that takes nothing once that has lasted half a minute, and of its return", async () => {
  const { clock, told, trouble, codes, kinds } = setUp();
  trouble.failed("answered 503", 1_000);
  await clock.advance(29_999);
  trouble.failed("answered 503", 1_000);
  assert.deepEqual([codes(), kinds()], [[], []]);
  await clock.advance(1);
  for (let again = 0; again < 3; again++) trouble.failed("answered 503", 1_000);
  assert.deepEqual([codes(), kinds()], [["LOGS_NOT_TAKEN"], ["logs.failing"]]);
  assert.equal(told[0]?.space, "shop");
  trouble.succeeded();
  trouble.succeeded();
  assert.deepEqual([codes(), kinds()], [[], ["logs.failing", "logs.well"]]);
  trouble.failed("answered 503", 1_000);
  trouble.succeeded();
  assert.equal(told.length, 2, "a restart of the receiver is no news");
});

test("what is lost or refused is counted and shown for a day, and told once an hour", async () => {
  const { clock, trouble, codes, kinds } = setUp();
  trouble.lost(machine, 10);
  trouble.lost(machine, 5);
  trouble.refused(machine, 2, "answered 400");
  trouble.refused(machine, 1, "answered 413");
  assert.deepEqual(codes(), ["LOGS_LOST", "LOGS_REFUSED"]);
  assert.match(trouble.problems[0]?.message ?? "", /^15 lines were gone/);
  assert.match(trouble.problems[1]?.message ?? "", /refused 3 events: answered 413$/);
  assert.deepEqual(kinds(), ["logs.lost", "logs.refused"]);
  await clock.advance(3_600_000);
  trouble.lost(machine, 1);
  assert.deepEqual(kinds(), ["logs.lost", "logs.refused", "logs.lost"]);
  await clock.advance(23 * 3_600_000);
  assert.deepEqual(codes(), ["LOGS_LOST"]);
  await clock.advance(3_600_000);
  assert.deepEqual(codes(), []);
});
