import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppName, MachineId, PoolName } from "#model/names.ts";
import { around, arrangePlaces, targetsInside, touches, widen } from "./places.ts";

const app = (name: string) => name as AppName;
const places = arrangePlaces({
  pools: [{ name: "web" as PoolName, minHealthy: 1 }],
  machines: [
    { name: "m1" as MachineId, pool: "web" as PoolName, apps: [app("shop"), app("wide")] },
    { name: "m2" as MachineId, pool: "web" as PoolName, apps: [app("wide"), app("far")] },
    { name: "lone" as MachineId, pool: null, apps: [app("far"), app("own")] },
  ],
  apps: [app("shop"), app("wide"), app("far"), app("own"), app("idle")],
});

test("an app is inside a machine or a pool when all of it runs there", () => {
  assert.deepEqual([...around(places, "app/shop")], ["app/shop", "machine/m1", "pool/web", "space"]);
  assert.deepEqual([...around(places, "app/wide")], ["app/wide", "pool/web", "space"]);
  assert.deepEqual([...around(places, "app/far")], ["app/far", "space"]);
  assert.deepEqual([...around(places, "app/own")], ["app/own", "machine/lone", "space"]);
  assert.deepEqual([...around(places, "app/idle")], ["app/idle", "space"]);
});

test("what happens on a machine touches every app of it, its pool and the space, and no other machine", () => {
  const touched = ["app/shop", "app/wide", "app/far", "app/own", "pool/web", "machine/m1", "machine/m2", "space"] as const;
  assert.deepEqual(
    touched.filter((target) => touches(places, "machine/m2", target)),
    ["app/wide", "app/far", "pool/web", "machine/m2", "space"],
  );
});

test("a run reaches what is inside its target, and the apps that also run there, by name", () => {
  assert.deepEqual(targetsInside(places, "pool/web", "machine"), ["machine/m1", "machine/m2"]);
  assert.deepEqual(targetsInside(places, "pool/web", "app"), ["app/far", "app/shop", "app/wide"]);
  assert.deepEqual(targetsInside(places, "machine/lone", "app"), ["app/far", "app/own"]);
  assert.deepEqual(targetsInside(places, "machine/m1", "pool"), []);
  assert.deepEqual(targetsInside(places, "space", "pool"), ["pool/web"]);
});

test("a machine that is no longer there is inside the space, and is all that a run on it reaches", () => {
  assert.deepEqual([...around(places, "machine/gone")], ["machine/gone", "space"]);
  assert.deepEqual(targetsInside(places, "machine/gone", "machine"), ["machine/gone"]);
  assert.deepEqual(targetsInside(places, "machine/gone", "app"), []);
  assert.ok(touches(places, "space", "machine/gone"));
});

test("a target is widened to the one that is around it, if there is exactly one", () => {
  assert.equal(widen(places, "machine/m1", "pool"), "pool/web");
  assert.equal(widen(places, "machine/lone", "pool"), null);
  assert.equal(widen(places, "machine/m1", "machine"), "machine/m1");
  assert.equal(widen(places, "app/shop", "space"), "space");
  assert.equal(widen(places, "app/shop", "machine"), null);
});
