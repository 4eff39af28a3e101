import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { EscalationId, MachineId, PoolName, SpaceName, StepId } from "#model/names.ts";
import type { Pool } from "#model/pool.ts";
import type { StepOrder } from "#plan/ladder/input.ts";
import { PoolWatch } from "../../pools/pool-watch.ts";
import type { Provider, ProviderEnd } from "../../pools/provider.ts";
import { openMemoryStore } from "../../store/memory-store.ts";
import { silentLog } from "../../store/testing/temporary-store.ts";
import { takeLead } from "../leadership.ts";
import { actOnMachine, type MachineAction, makePool } from "./machine-actions.ts";

const space = "default" as SpaceName;
const machine = "web-1" as MachineId;
const pool: Pool = {
  space,
  name: "web" as PoolName,
  machines: 1,
  healthy: 0,
  rules: null,
  provider: {
    kind: "command",
    commands: { list: "list", create: "create", destroy: "destroy", converge: null, power: null },
    env: {},
    secrets: [],
    everyMs: 10_000,
    timeoutMs: 1_000,
  },
};
const ok: ProviderEnd = { result: "ok", exitCode: 0, output: "" };

const step = (attempt: number): StepOrder => ({
  id: `machine/web-1@1/machine/machine/web-1/${attempt}` as StepId,
  escalation: "machine/web-1@1" as EscalationId,
  level: "machine",
  target: "machine/web-1",
  action: { kind: "built-in", name: "machine.replace" },
  attempt,
  term: 1,
  timeoutMs: 60_000,
});

/** A provider whose machine joins at once when it is made, and what happened to machine and membership, in order. */
async function open(destroy: ProviderEnd = ok) {
  const store = openMemoryStore({ random: Math.random });
  const clock = new VirtualClock();
  const did: string[] = [];
  let isThere = true;
  const provider: Provider = {
    name: "test",
    can: { converge: false, power: true },
    list: async () => (isThere ? [{ name: machine, address: "10.0.0.4", power: "on" }] : []),
    create: async () => {
      isThere = true;
      did.push("create");
      return ok;
    },
    destroy: async () => {
      did.push("destroy");
      return destroy;
    },
    converge: async () => ok,
    power: async ({ to }) => {
      did.push(to);
      return ok;
    },
  };
  const stop = new AbortController();
  const log = silentLog;
  const pools = new PoolWatch(
    { pools: () => [pool], providerOf: () => provider, clock, steadyNowMs: () => clock.nowMs(), log, onChange: () => undefined },
    stop.signal,
  );
  pools.update();
  const forgetMember = async (name: MachineId) => {
    did.push(`forget ${name}`);
  };
  const options = { store, lead: await takeLead(store), pools, forgetMember, clock };
  const act = (action: MachineAction, attempt = 1) => actOnMachine(options, space, machine, action, step(attempt), stop.signal);
  const replace = (attempt = 1) => act("machine.replace", attempt);
  return {
    did,
    replace,
    powerCycle: () => act("machine.power-cycle"),
    /** A heavier level of the same run has made the machine. */
    make: () => makePool(options, space, pool.name, { ...step(1), level: "pool", target: "pool/web" }, stop.signal),
    lose: () => {
      isThere = false;
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await pools.stopped();
    },
  };
}

test("a machine that was destroyed is forgotten as a member before it is made anew", async () => {
  await using world = await open();
  assert.equal((await world.replace()).result, "ok");
  assert.deepEqual(world.did, ["destroy", "forget web-1", "create"]);
});

test("a replacement that is taken up after a crash does not forget the machine that it made before, the next attempt does", async () => {
  await using world = await open();
  await world.replace();
  await world.replace();
  assert.deepEqual(world.did, ["destroy", "forget web-1", "create", "create"]);
  await world.replace(2);
  assert.deepEqual(world.did.slice(4), ["destroy", "forget web-1", "create"]);
});

test("a machine that a heavier level of the run has made is not switched off and on, any other is", async () => {
  await using world = await open();
  assert.equal((await world.powerCycle()).result, "ok");
  assert.deepEqual(world.did.splice(0), ["off", "on"]);
  world.lose();
  await world.make();
  const { result, output } = await world.powerCycle();
  assert.deepEqual([result, output], ["ok", 'web-1 is as new: level "pool" of this run made it']);
  assert.deepEqual(world.did, ["create"]);
});

test("a machine that could not be destroyed stays a member", async () => {
  await using world = await open({ result: "failed", exitCode: 1, output: "no" });
  assert.equal((await world.replace()).result, "failed");
  assert.deepEqual(world.did, ["destroy"]);
});
