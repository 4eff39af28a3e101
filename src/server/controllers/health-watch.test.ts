import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { DroverEvent } from "#model/app.ts";
import type { AppId } from "#model/names.ts";
import type { EventLog, EventQuery } from "../events/event-log.ts";
import { HealthWatch } from "./health-watch.ts";
import { Subscribers } from "./subscribers.ts";

const web = "default/web" as AppId;

function world(t: { readonly signal: AbortSignal }, told: DroverEvent[] = []) {
  const clock = new VirtualClock();
  const subscribers = new Subscribers();
  const state: { condition: "well" | "degraded" | "failing" | "idle" | null | undefined; isKnown: boolean } = {
    condition: null,
    isKnown: true,
  };
  const events = {
    append: (event: DroverEvent) => told.push(event),
    query: ({ kinds }: EventQuery) => told.filter(({ kind }) => kinds?.includes(kind)).slice(-1),
  } as unknown as EventLog;
  const conditionOf = () => state.condition;
  const reasonsOf = () => [{ code: "CRASHED", message: "web.1.a exited with code 1" }];
  void new HealthWatch({ events, subscribers, clock, isKnown: () => state.isKnown, conditionOf, reasonsOf }).run(t.signal);
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    told,
    state,
    async is(condition: typeof state.condition) {
      state.condition = condition;
      subscribers.changed(web);
      for (let i = 0; i < 5; i++) await turn();
      await clock.advance(1_000);
      for (let i = 0; i < 5; i++) await turn();
    },
    said: () => told.map(({ kind }) => kind),
  };
}

test("an app's health is told when it changes, and not while it is on its way", async (t) => {
  const { is, said, told } = world(t);
  await is(null);
  await is("well");
  await is(null);
  await is("well");
  await is("failing");
  await is("failing");
  await is("degraded");
  await is("well");
  await is("idle");
  assert.deepEqual(said(), ["app.well", "app.failing", "app.degraded", "app.well", "app.idle"]);
  assert.equal(told[1]?.message, "web is failing: web.1.a exited with code 1");
  assert.equal(told[3]?.message, "web is well again");
});

test("after a restart it goes on from what the log says last", async (t) => {
  const before = { kind: "app.failing", atMs: 5 } as DroverEvent;
  const { is, said, told } = world(t, [before]);
  await is("failing");
  assert.deepEqual(said(), ["app.failing"], "nothing new");
  await is("well");
  assert.deepEqual(said(), ["app.failing", "app.well"]);
  assert.deepEqual(told[1]?.details, { from: "failing", sinceMs: 5 });
});

test("nothing is told while it is not known what runs, and then what holds", async (t) => {
  const { is, said, state } = world(t);
  state.isKnown = false;
  await is("failing");
  state.isKnown = true;
  await is("well");
  assert.deepEqual(said(), ["app.well"]);
});
