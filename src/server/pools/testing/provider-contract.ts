import assert from "node:assert/strict";
import { test } from "node:test";
import { DroverError } from "#model/errors.ts";
import type { MachineId } from "#model/names.ts";
import type { ProvidedMachine } from "#model/pool.ts";
import type { Provider, ProviderCall } from "../provider.ts";

/** A provider over a world of its own, with room for two machines. */
export interface ProviderWorld extends AsyncDisposable {
  readonly provider: Provider;
  /** Names that its pool gives to machines. */
  readonly machines: readonly [MachineId, MachineId];
  /** How often a machine was really made. */
  made(machine: MachineId): Promise<number>;
  /** Takes a machine away behind the provider's back. */
  lose(machine: MachineId): Promise<void>;
}

/** What every provider of machines has to do, run against the real thing. */
export function testProvider(name: string, open: () => Promise<ProviderWorld>): void {
  const signal = AbortSignal.timeout(120_000);
  let calls = 0;
  const call = (machine: MachineId): ProviderCall => ({ machine, key: `call-${++calls}`, timeoutMs: 60_000 });
  const find = async ({ provider }: ProviderWorld, machine: MachineId): Promise<ProvidedMachine | undefined> =>
    (await provider.list(signal)).find((one) => one.name === machine);
  const make = async ({ provider }: ProviderWorld, machine: MachineId) => {
    const end = await provider.create(call(machine), signal);
    assert.equal(end.result, "ok", end.output);
  };

  test(`${name}: what was never made is not in the list`, async () => {
    await using world = await open();
    for (const machine of world.machines) assert.equal(await find(world, machine), undefined);
  });

  test(`${name}: a machine that was made is listed under its name, switched on, with an address`, async () => {
    await using world = await open();
    const [one, other] = world.machines;
    await make(world, one);
    const found = await find(world, one);
    assert.deepEqual([found?.name, found?.power], [one, "on"]);
    assert.ok(found?.address);
    assert.equal(await find(world, other), undefined, "and no other was");
  });

  test(`${name}: making a machine that is there makes no second one`, async () => {
    await using world = await open();
    const [machine] = world.machines;
    await make(world, machine);
    await make(world, machine);
    assert.equal((await world.provider.list(signal)).filter((one) => one.name === machine).length, 1);
  });

  test(`${name}: a call that is made again under its key is taken up and not begun again`, async () => {
    await using world = await open();
    const [machine] = world.machines;
    const same = call(machine);
    const ends = [await world.provider.create(same, signal), await world.provider.create(same, signal)];
    assert.deepEqual(
      ends.map(({ result }) => result),
      ["ok", "ok"],
    );
    assert.equal(await world.made(machine), 1);
  });

  test(`${name}: a machine that was destroyed is gone, destroying it again is well, and it can be made anew`, async () => {
    await using world = await open();
    const [machine] = world.machines;
    await make(world, machine);
    for (let time = 0; time < 2; time++) assert.equal((await world.provider.destroy(call(machine), signal)).result, "ok");
    assert.equal(await find(world, machine), undefined);
    await make(world, machine);
    assert.equal((await find(world, machine))?.power, "on");
  });

  test(`${name}: a machine that was lost is not listed as on`, async () => {
    await using world = await open();
    const [machine] = world.machines;
    await make(world, machine);
    await world.lose(machine);
    assert.notEqual((await find(world, machine))?.power, "on");
  });

  test(`${name}: what it says that it can do, it does; what it cannot do, it says`, async () => {
    await using world = await open();
    const { provider } = world;
    const [machine] = world.machines;
    await make(world, machine);
    const converged = await provider.converge(call(machine), signal);
    assert.equal(converged.result, provider.can.converge ? "ok" : "failed", converged.output);
    for (const to of ["off", "on"] as const) {
      const end = await provider.power({ ...call(machine), to }, signal);
      assert.equal(end.result, provider.can.power ? "ok" : "failed", end.output);
      if (provider.can.power) assert.equal((await find(world, machine))?.power, to);
    }
  });

  test(`${name}: a call whose caller is gone ends`, async () => {
    await using world = await open();
    const gone = AbortSignal.abort(new DroverError("TIMED_OUT", "nobody waits for it any more"));
    await assert.rejects(() => world.provider.list(gone));
    await assert.rejects(() => world.provider.create(call(world.machines[0]), gone));
    assert.equal(await world.made(world.machines[0]), 0);
  });
}
