import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { MachineId } from "#model/names.ts";
import { silentLog } from "../store/testing/temporary-store.ts";
import { EdgeDoor } from "./edge-door.ts";

test("an edge is told when it links whether it is to take what comes from outside, and again whenever that changes or it failed", async (t) => {
  const clock = new VirtualClock();
  const told: boolean[] = [];
  const news: boolean[] = [];
  let isWanted = true;
  let hasFailed = false;
  const door = new EdgeDoor({
    peer: {
      machine: "m1" as MachineId,
      gone: new AbortController().signal,
      setDoor: async (isPublic) => {
        told.push(isPublic);
        if (hasFailed) throw new Error("the port is taken");
        return isPublic;
      },
    },
    isWanted: () => isWanted,
    clock,
    random: () => 0.5,
    log: silentLog,
    onChange: (isPublic) => void news.push(isPublic),
  });
  const running = door.run(t.signal);
  await clock.advance(1_000);
  assert.deepEqual([told, news, door.isPublic], [[true], [], true]);
  door.changed();
  await clock.advance(1_000);
  assert.deepEqual(told, [true], "nothing is said that was said");
  isWanted = false;
  hasFailed = true;
  door.changed();
  await clock.advance(0);
  assert.deepEqual([told, door.isPublic], [[true, false], true]);
  hasFailed = false;
  await clock.advance(10_000);
  assert.deepEqual([told, news, door.isPublic], [[true, false, false], [false], false]);
  void running;
});

test("an edge that is too old to close its ports is taken for one that has them open", async (t) => {
  const setDoor = async () => true;
  const door = new EdgeDoor({
    peer: { machine: "m1" as MachineId, gone: t.signal, setDoor },
    isWanted: () => false,
    clock: new VirtualClock(),
    random: () => 0.5,
    log: silentLog,
    onChange: () => assert.fail("it did not change"),
  });
  void door.run(t.signal);
  await new Promise(setImmediate);
  assert.equal(door.isPublic, true);
});
