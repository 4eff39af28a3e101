import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readDoor } from "#host/edge-door.ts";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import { DroverError } from "#model/errors.ts";
import { Door } from "./door.ts";

async function doorIn(t: TestContext, does: { readonly open?: () => Promise<void>; readonly release?: () => Promise<void> }) {
  const folder = await mkdtemp(join(tmpdir(), "drover-door-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const said: string[] = [];
  const clock = new VirtualClock();
  const door = new Door(await readDoor(folder), {
    folder,
    http: { host: "127.0.0.1", port: 80 },
    open: async () => {
      said.push("open");
      await does.open?.();
    },
    close: async () => void said.push("close"),
    release: async () => {
      said.push("release");
      await does.release?.();
    },
    clock,
    signal: t.signal,
  });
  return { folder, said, clock, door };
}

test("a door is open where nobody said otherwise, and what is said is there after a restart", async (t) => {
  const { folder, said, door } = await doorIn(t, {});
  assert.equal(door.isOpen, true);
  await door.set(true);
  await door.set(false);
  await door.set(false);
  assert.equal(await readDoor(folder), false);
  await Promise.all([door.set(true), door.set(false)]);
  assert.deepEqual(said, ["release", "close", "open", "release", "close"]);
  assert.equal(await readDoor(folder), false);
});

test("a port that somebody else keeps is told, and the door stays closed until it is free", async (t) => {
  let isTaken = true;
  const { folder, clock, door } = await doorIn(t, {
    open: async () => {
      if (isTaken) throw Object.assign(new Error("taken"), { code: "EADDRINUSE" });
    },
  });
  await door.set(false);
  const opened = assert.rejects(door.set(true), { code: "PORT_IN_USE" });
  await clock.advance(10_000);
  await opened;
  assert.deepEqual(
    door.problems().map(({ code, port }) => `${code} ${port}`),
    ["PORT_IN_USE 80"],
  );
  assert.equal(await readDoor(folder), false);
  isTaken = false;
  await door.set(true);
  assert.deepEqual([door.problems(), door.isOpen], [[], true]);
});

test("a door stays open while who holds its sockets does not let go of them", async (t) => {
  const { folder, said, door } = await doorIn(t, {
    release: async () => {
      throw new DroverError("NOT_YET_SUPPORTED", "it is older");
    },
  });
  await assert.rejects(door.set(false), { code: "NOT_YET_SUPPORTED" });
  assert.deepEqual([door.isOpen, await readDoor(folder), said], [true, true, ["release"]]);
});
