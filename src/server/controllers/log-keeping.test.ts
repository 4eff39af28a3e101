import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { Space } from "#model/app.ts";
import type { KeepRules } from "#model/log-keep.ts";
import type { MachineId, SpaceName } from "#model/names.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import { keys, put } from "../objects/objects.ts";
import { openMemoryStore } from "../store/memory-store.ts";
import { silentLog } from "../store/testing/temporary-store.ts";
import { LogKeeping } from "./log-keeping.ts";

test("an agent is told one thing after the other, so that what a space said last holds, and again where it failed", async () => {
  const store = openMemoryStore({ random: () => 0.5 });
  const clock = new VirtualClock();
  const stop = new AbortController();
  const told: KeepRules[] = [];
  const answers = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  const agent = {
    machine: "m1" as MachineId,
    gone: new AbortController().signal,
    keepLogs: (rules: KeepRules) => answers[told.push(rules) - 1]?.promise,
  } as Partial<AgentPeer> as AgentPeer;
  const say = async (age: string) => {
    const space: Space = { name: "shop" as SpaceName, domain: "shop.localhost", env: {}, createdAtMs: 0, logs: { keep: { age } } };
    await store.commit({ changes: [put(keys.space(space.name), space)] });
    await clock.advance(0);
  };
  const ages = () => told.map(({ shop }) => shop?.ageMs ?? null);

  const keeping = new LogKeeping({ store, clock, log: silentLog }, stop.signal);
  keeping.follow(agent);
  await say("1m");
  await say("2m");
  assert.deepEqual(ages(), [null], "it has not answered yet");
  answers[0]?.resolve();
  await clock.advance(0);
  assert.deepEqual(ages(), [null, 120_000]);
  answers[1]?.reject(new Error("its disk is full"));
  await clock.advance(10_000);
  assert.deepEqual(ages(), [null, 120_000, 120_000]);
  answers[2]?.resolve();
  await say("2m");
  assert.deepEqual(ages(), [null, 120_000, 120_000], "nothing is said that was taken");
  stop.abort();
  await keeping.stopped();
});
