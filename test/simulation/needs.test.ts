import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppName, ProcessName } from "../../src/model/names.ts";
import { appAndRelease, type Fixture } from "./fixtures.ts";
import { World } from "./world.ts";

const web = "web" as ProcessName;
const db = "db" as AppName;
const shop = "shop" as AppName;
const port = 30_001;
const address = { needs: { [db]: { port, protocol: "http" } } } as const;

async function world(): Promise<World> {
  const made = new World(1);
  await made.startServer();
  return made;
}

async function declare(world: World, name: AppName, more: Partial<Fixture> = {}): Promise<void> {
  await world.store.commit({ changes: appAndRelease(name, { instances: 1, port: "auto", ...more }) });
  await world.clock.advance(5_000, world.settle);
}

const isOpen = (world: World) =>
  [...world.edge.routes.values()].some(({ listener }) => listener.kind === "service" && listener.port === port);

test("a service address is open only while an app needs it, and before that app starts", async () => {
  const drover = await world();
  await declare(drover, db, { servicePorts: { [web]: port } });
  assert.equal(isOpen(drover), false, "nobody needs it yet");
  const from = drover.trace.length;
  await declare(drover, shop, address);
  assert.equal(isOpen(drover), true);
  const order = drover.trace.slice(from).map((line) => line.replace(/^\S+ /, ""));
  const opened = order.findIndex((line) => line.startsWith("patch "));
  const started = order.findIndex((line) => line.startsWith("apply sim/shop/"));
  assert.ok(opened >= 0 && opened < started, order.join("\n"));
  await drover.change(shop, { destroying: true });
  await drover.clock.advance(60_000, drover.settle);
  assert.equal(drover.app(shop), null);
  assert.equal(isOpen(drover), false, "nobody needs it any more");
  await drover.killServer();
});

test("an edge that does not answer keeps no app from starting", async () => {
  const drover = await world();
  await declare(drover, db, { servicePorts: { [web]: port } });
  const refuse = () => {
    throw new Error("no answer");
  };
  Object.assign(drover.edge, { patchTable: refuse, putTable: refuse });
  await declare(drover, shop, address);
  assert.equal(isOpen(drover), false);
  assert.equal(drover.engine.instances().filter(({ id, ready }) => id.startsWith("sim/shop/") && ready).length, 1);
  await drover.killServer();
});
