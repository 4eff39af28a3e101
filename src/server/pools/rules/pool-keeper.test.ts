import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { DroverEvent } from "#model/app.ts";
import { DroverError } from "#model/errors.ts";
import type { AppName, EscalationId, MachineId, PoolName, SpaceName } from "#model/names.ts";
import type { Pool, PoolRules, ProvidedMachine } from "#model/pool.ts";
import { takeLead } from "../../escalator/leadership.ts";
import type { EventLog } from "../../events/event-log.ts";
import { standingOf } from "../../members/standings.ts";
import { ladderKeys } from "../../objects/ladder-objects.ts";
import { keys, put } from "../../objects/objects.ts";
import { poolSizeKeys } from "../../objects/pool-size.ts";
import { openMemoryStore } from "../../store/memory-store.ts";
import { silentLog } from "../../store/testing/temporary-store.ts";
import { PoolWatch } from "../pool-watch.ts";
import type { Provider, ProviderEnd } from "../provider.ts";
import { PoolKeeper, type PoolKeeperOptions } from "./pool-keeper.ts";

const [space, name] = ["default" as SpaceName, "web" as PoolName];
const minute = 60_000;
const gib8 = 8 * 2 ** 30;
const usual: PoolRules = { min: 1, max: 3, waitMs: minute, busyShare: 0.9, busyMs: 5 * minute, idleMs: 10 * minute, grow: "auto" };
const web = (number: number) => `web-${number}` as MachineId;

/** A pool whose provider is a table, over a fleet that is one too: machines that are on are linked. Time is virtual. */
async function open({ rules = usual, canSwitch = false, fails = 0 }: { rules?: PoolRules; canSwitch?: boolean; fails?: number } = {}) {
  const stop = new AbortController();
  const store = openMemoryStore({ random: Math.random });
  const clock = new VirtualClock();
  const power = new Map<MachineId, ProvidedMachine["power"]>([[web(1), "on"]]);
  const did: string[] = [];
  const told: string[] = [];
  const used = new Map<MachineId, number>([[web(1), 4]]);
  const world = { waiting: 0, failures: fails, isBlind: false, own: null as MachineId | null };
  /** Machines whose agents never link, and those of which nobody can say how they are. */
  const [mute, silent] = [new Set<MachineId>(), new Set<MachineId>()];
  const verb =
    (what: string, to: ProvidedMachine["power"] | null) =>
    async ({ machine }: { readonly machine: MachineId }): Promise<ProviderEnd> => {
      did.push(`${what} ${machine}`);
      if (world.failures > 0) {
        world.failures--;
        return { result: "failed", exitCode: 1, output: "out of stock" };
      }
      if (world.isBlind) return { result: "ok", exitCode: 0, output: "" };
      if (to === null) power.delete(machine);
      else power.set(machine, to);
      return { result: "ok", exitCode: 0, output: "" };
    };
  const provider: Provider = {
    name: "test",
    can: { converge: false, power: canSwitch },
    list: async () =>
      [...power].map(([machine, state]) => ({
        ...{ name: machine, address: null, power: silent.has(machine) ? "unknown" : state },
        ...(silent.has(machine) ? { problem: new DroverError("PROVIDER_FAILED", `${machine} cannot be asked`) } : {}),
      })),
    create: verb("create", "on"),
    destroy: verb("destroy", null),
    converge: verb("converge", "on"),
    power: (call) => verb(call.to, call.to)(call),
  };
  const pool: Pool = {
    ...{ space, name, machines: 1, healthy: 0, rules },
    provider: {
      kind: "command",
      commands: { list: "", create: "", destroy: "", converge: null, power: null },
      ...{ env: {}, secrets: [], everyMs: 1_000, timeoutMs: 1_000 },
    },
  };
  const on = () => [...power].flatMap(([machine, state]) => (state === "on" ? machine : []));
  const fleet = {
    isKnown: true,
    rooms: () =>
      on()
        .filter((id) => !mute.has(id))
        .map((id) => ({
          id,
          cores: 4,
          memoryBytes: gib8,
          freeCores: 4 - (used.get(id) ?? 0),
          freeMemoryBytes: gib8,
          instances: used.get(id) ?? 0,
        })),
    machines: () => on().flatMap((id) => (mute.has(id) ? [] : [{ id, peer: {}, isKnown: true, isRemote: id !== world.own }])),
    instancesOn: (id: MachineId) => used.get(id) ?? 0,
  };
  const apps = {
    progress: () => ({
      unplaced:
        world.waiting === 0
          ? []
          : [
              {
                name: "web",
                instances: world.waiting,
                resources: { cpu: 1, memoryBytes: null, pids: 0 },
                rules: { only: null, labels: {}, pool: null, spread: null },
                words: "",
              },
            ],
    }),
  };
  await store.commit({
    conditions: [],
    changes: [put(keys.app(space, "shop" as AppName), { space, name: "shop", stopped: false, manifest: {} })],
  });
  const pools = new PoolWatch(
    { pools: () => [pool], providerOf: () => provider, clock, steadyNowMs: () => clock.nowMs(), log: silentLog, onChange: () => undefined },
    stop.signal,
  );
  const keeper = new PoolKeeper(
    {
      store,
      lead: await takeLead(store),
      core: { fleet, apps } as unknown as PoolKeeperOptions["core"],
      pools,
      events: { append: (event: DroverEvent) => void told.push(`${event.kind}: ${event.message}`) } as unknown as EventLog,
      forgetMember: async (machine) => void did.push(`forget ${machine}`),
      forgetCall: async () => {},
      joins: true,
      clock,
      steadyNowMs: () => clock.nowMs(),
      log: silentLog,
    },
    stop.signal,
  );
  pools.update();
  keeper.update();
  return {
    ...{ store, power, did, told, used, world, mute, silent, keeper },
    /** Lets so much time go by, in steps in which everything that follows happens. */
    pass: async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 1_000) {
        await clock.advance(1_000);
        for (let turns = 0; turns < 10; turns++) await turn();
      }
    },
    states: () => keeper.standingOf(space, name)?.machines.map((machine) => `${machine.name} ${machine.state}`),
    [Symbol.asyncDispose]: async () => {
      stop.abort(new Error("the test is over"));
      await Promise.all([keeper.stopped(), pools.stopped()]);
    },
  };
}

test("what waits for room gets machines, and what then runs nothing is drained and taken away", async () => {
  await using pool = await open();
  pool.world.waiting = 2;
  await pool.pass(50_000);
  assert.deepEqual(pool.did, [], "not before it has waited");
  await pool.pass(30_000);
  assert.deepEqual(pool.did, ["create web-2"]);
  assert.deepEqual(pool.states(), ["web-1 kept", "web-2 kept"]);
  pool.world.waiting = 0;
  pool.used.set(web(2), 2);
  await pool.pass(20 * minute);
  assert.deepEqual(pool.did, ["create web-2"], "it is used");
  pool.used.set(web(2), 0);
  pool.used.set(web(1), 2);
  await pool.pass(11 * minute);
  assert.deepEqual(pool.did, ["create web-2", "destroy web-2", "forget web-2"]);
  assert.deepEqual(pool.states(), ["web-1 kept"]);
  assert.deepEqual(
    pool.told.filter((one) => one.startsWith("pool")),
    [
      "pool.sized: pool web: web-2 is added: 2 instances of shop.web have waited 1 min",
      "pool.sized: pool web: web-2 leaves: web-2 has run nothing for 10m",
    ],
  );
});

test("where machines can be switched, one that runs nothing is switched off, and on again when there is work", async () => {
  await using pool = await open({ canSwitch: true });
  pool.world.waiting = 2;
  await pool.pass(70_000);
  pool.world.waiting = 0;
  pool.used.set(web(1), 2);
  await pool.pass(12 * minute);
  assert.deepEqual(pool.did, ["create web-2", "off web-2"]);
  assert.equal(standingOf(pool.store, web(2)).draining, true, "nothing is put on it while it is off");
  pool.used.set(web(1), 4);
  pool.world.waiting = 2;
  await pool.pass(80_000);
  assert.deepEqual(pool.did.slice(2), ["on web-2"]);
  assert.deepEqual([pool.states(), standingOf(pool.store, web(2)).draining], [["web-1 kept", "web-2 kept"], false]);
});

test("a machine that leaves is drained, also where the server ended between the two", async () => {
  await using pool = await open();
  pool.used.set(web(2), 1);
  pool.power.set(web(2), "on");
  const machines = [{ name: web(2), state: "leaving", sinceMs: 0 }];
  const size = put(poolSizeKeys.pool(space, name), { machines, addedAtMs: [], changedAtMs: null });
  await pool.store.commit({ conditions: [], changes: [size] });
  await pool.pass(5_000);
  assert.deepEqual([pool.did, standingOf(pool.store, web(2)).draining], [[], true]);
});

test("a machine that cannot be made is tried again in a minute, and said so", async () => {
  await using pool = await open({ fails: 1 });
  pool.world.waiting = 1;
  await pool.pass(80_000);
  assert.deepEqual([pool.did, pool.states()], [["create web-2"], ["web-1 kept", "web-2 coming"]]);
  assert.match(pool.told.at(-1) ?? "", /pool.failed: create of web-2 failed and is tried again in 1 min: out of stock/);
  await pool.pass(60_000);
  assert.deepEqual(
    [pool.did, pool.states()],
    [
      ["create web-2", "create web-2"],
      ["web-1 kept", "web-2 kept"],
    ],
  );
});

test("a pool that asks tells once what is needed, and makes nothing", async () => {
  await using pool = await open({ rules: { ...usual, grow: "ask" } });
  pool.world.waiting = 7;
  await pool.pass(5 * minute);
  assert.deepEqual(
    [pool.did, pool.told],
    [[], ["pool.short: add 2 machines of 4 CPU to pool web: 7 instances of shop.web have waited 1 min"]],
  );
  assert.deepEqual([...(pool.keeper.standingOf(space, name)?.short ?? [])], ["shop"]);
});

test("while a run of the ladder is at work on the pool, nothing comes and nothing goes", async () => {
  await using pool = await open();
  const key = ladderKeys.escalation(space, "machine/web-1@1" as EscalationId);
  await pool.store.commit({ conditions: [], changes: [put(key, { id: "machine/web-1@1", target: "machine/web-1", outcome: null })] });
  pool.world.waiting = 2;
  await pool.pass(5 * minute);
  assert.deepEqual(pool.did, []);
  assert.match(pool.keeper.standingOf(space, name)?.why ?? "", /a run of the ladder is at work on machine\/web-1/);
  await pool.store.commit({
    conditions: [],
    changes: [put(key, { id: "machine/web-1@1", target: "machine/web-1", outcome: { kind: "done" } })],
  });
  await pool.pass(10_000);
  assert.deepEqual(pool.did, ["create web-2"]);
});

test("a provider that says that it made a machine, and shows none, is asked less and less often, and that is told once", async () => {
  await using pool = await open();
  pool.world.isBlind = true;
  pool.world.waiting = 2;
  await pool.pass(8 * minute);
  // After one minute, two and four, each with the time in which its list may lag behind.
  assert.deepEqual(pool.did, ["create web-2", "create web-2", "create web-2"]);
  const failed = pool.told.filter((one) => one.startsWith("pool.failed"));
  assert.deepEqual(failed, [
    "pool.failed: create of web-2 failed and is tried again in 1 min: it ended well, but the machine is not there",
  ]);
  assert.deepEqual(pool.keeper.standingOf(space, name)?.stuck, ["web-2 does not come: it ended well, but the machine is not there"]);
});

test("a machine that is made and never joins ends the adding, is named, and goes when nothing waits for it any more", async () => {
  await using pool = await open();
  pool.mute.add(web(2));
  pool.world.waiting = 8;
  await pool.pass(13 * minute);
  assert.deepEqual(pool.did, ["create web-2"]);
  assert.match(pool.keeper.standingOf(space, name)?.stuck[0] ?? "", /^web-2 was to come 1\d min ago and has not$/);
  pool.world.waiting = 0;
  pool.used.set(web(1), 1);
  await pool.pass(minute);
  assert.deepEqual(pool.did, ["create web-2", "destroy web-2", "forget web-2"]);
  assert.deepEqual(pool.states(), ["web-1 kept"]);
});

test("the least are made by the rules where no ladder does", async () => {
  await using pool = await open({ rules: { ...usual, min: 2 } });
  await pool.pass(5_000);
  assert.deepEqual([pool.did, pool.states()], [["create web-2"], ["web-1 kept", "web-2 kept"]]);
  pool.power.delete(web(1));
  await pool.pass(20_000);
  assert.deepEqual([pool.did.slice(1), pool.states()], [["create web-1"], ["web-1 kept", "web-2 kept"]]);
});

test("a server that ends after a machine was destroyed has it forgotten by the next, and one that ends before it destroys it once", async () => {
  await using pool = await open();
  const sized = async (state: string) =>
    pool.store.commit({
      conditions: [],
      changes: [
        put(poolSizeKeys.pool(space, name), {
          machines: [
            { name: web(1), state: "kept", sinceMs: 0 },
            { name: web(2), state, sinceMs: 7 },
          ],
          ...{ addedAtMs: [], changedAtMs: null },
        }),
      ],
    });
  await sized("going");
  await pool.pass(5_000);
  assert.deepEqual([pool.did, pool.states()], [["forget web-2"], ["web-1 kept"]], "it is gone already");
  pool.power.set(web(2), "on");
  await pool.pass(2_000);
  await sized("going");
  pool.world.waiting = 4;
  await pool.pass(5 * minute);
  assert.deepEqual(pool.did.slice(1), ["destroy web-2", "forget web-2", "create web-2"], "it cannot stay any more");
});

test("a machine that has volumes of an app, or the server itself, is never taken away", async () => {
  await using pool = await open();
  for (const number of [2, 3]) {
    pool.power.set(web(number), "on");
    pool.used.set(web(number), 0);
  }
  pool.world.own = web(3);
  pool.used.set(web(1), 1);
  const kept = [1, 2, 3].map((number) => ({ name: web(number), state: "kept", sinceMs: 0 }));
  await pool.store.commit({
    conditions: [],
    changes: [
      put(poolSizeKeys.pool(space, name), { machines: kept, addedAtMs: [], changedAtMs: null }),
      put(`${keys.homes}default/shop`, { machine: web(2) }),
    ],
  });
  await pool.pass(30 * minute);
  assert.deepEqual(pool.did, []);
  const { machines } = pool.keeper.standingOf(space, name)?.sights ?? assert.fail();
  assert.deepEqual([machines.get(web(2)), machines.get(web(3))], ["stays: it has volumes of an app", "stays: the server runs there"]);
});

test("a machine of which nobody can say how it is keeps its place, and the rules of the pool go on with the others", async () => {
  await using pool = await open({ canSwitch: true });
  pool.power.set(web(2), "on");
  pool.used.set(web(2), 4);
  const kept = [1, 2].map((number) => ({ name: web(number), state: "kept", sinceMs: 0 }));
  await pool.store.commit({
    conditions: [],
    changes: [put(poolSizeKeys.pool(space, name), { machines: kept, addedAtMs: [], changedAtMs: null })],
  });
  await pool.pass(5_000);
  pool.silent.add(web(2));
  pool.world.waiting = 2;
  await pool.pass(2 * minute);
  assert.deepEqual([pool.did, pool.states()], [["create web-3"], ["web-1 kept", "web-2 kept", "web-3 kept"]]);
});

test("what each machine has before it is shown, with the time that is left", async () => {
  await using pool = await open();
  pool.power.set(web(2), "on");
  pool.used.set(web(1), 1);
  const kept = [1, 2].map((number) => ({ name: web(number), state: "kept", sinceMs: 0 }));
  await pool.store.commit({
    conditions: [],
    changes: [put(poolSizeKeys.pool(space, name), { machines: kept, addedAtMs: [], changedAtMs: null })],
  });
  await pool.pass(6 * minute);
  const { sights } = pool.keeper.standingOf(space, name) ?? assert.fail();
  assert.match(sights.machines.get(web(2)) ?? "", /^has run nothing for 5m\d\ds?|has run nothing for \d+s, and would leave in \d min$/);
  assert.deepEqual(
    [sights.machines.get(web(1)), sights.waiting, sights.busy],
    [
      "stays: it runs 1 instance",
      "nothing waits for room",
      "13% of CPU and 0% of memory are reserved; above 90% for 5m machines are added",
    ],
  );
});
