import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { DroverEvent } from "#model/app.ts";
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
  const world = { waiting: 0, failures: fails };
  const verb =
    (what: string, to: ProvidedMachine["power"] | null) =>
    async ({ machine }: { readonly machine: MachineId }): Promise<ProviderEnd> => {
      did.push(`${what} ${machine}`);
      if (world.failures > 0) {
        world.failures--;
        return { result: "failed", exitCode: 1, output: "out of stock" };
      }
      if (to === null) power.delete(machine);
      else power.set(machine, to);
      return { result: "ok", exitCode: 0, output: "" };
    };
  const provider: Provider = {
    name: "test",
    can: { converge: false, power: canSwitch },
    list: async () => [...power].map(([machine, state]) => ({ name: machine, address: null, power: state })),
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
      on().map((id) => ({
        id,
        cores: 4,
        memoryBytes: gib8,
        freeCores: 4 - (used.get(id) ?? 0),
        freeMemoryBytes: gib8,
        instances: used.get(id) ?? 0,
      })),
    machines: () => on().map((id) => ({ id, peer: {}, isKnown: true })),
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
  await store.commit({ conditions: [], changes: [put(keys.app(space, "shop" as AppName), { space, name: "shop", stopped: false })] });
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
    ...{ store, power, did, told, used, world, keeper },
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
  assert.match(pool.told.at(-1) ?? "", /pool.failed: create of web-2 failed and is tried again in a minute: out of stock/);
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
    [[], ["pool.short: add 2 machines of 4 CPU and 8GiB to pool web: 7 instances of shop.web have waited 1 min"]],
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
