import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppId, RouteId } from "#model/names.ts";
import type { Route } from "#model/routing-table.ts";
import { RouteTable } from "./route-table.ts";

function route(app: string, host: string, process = "web"): Route {
  const id = `s/${app}/${process} ${host}/` as RouteId;
  return { id, space: "s", app, process, listener: { kind: "public", host, path: "/" }, targets: [] };
}

const shop = "s/shop" as AppId;
const rival = "s/rival" as AppId;

test("setting the same again changes nothing", () => {
  const table = new RouteTable();
  assert.deepEqual([...table.set(shop, [route("shop", "a")], 1)], [route("shop", "a").id]);
  assert.deepEqual([...table.set(shop, [route("shop", "a")], 1)], []);
});

test("a newer app does not get a host that an older one has, and is told who has it", () => {
  const table = new RouteTable();
  table.set(shop, [route("shop", "a")], 1);
  assert.deepEqual([...table.set(rival, [route("rival", "a"), route("rival", "b")], 2)], [route("rival", "b").id]);
  assert.deepEqual(table.lost(rival), [{ listener: "a/", holder: shop }]);
  assert.deepEqual(table.lost(shop), []);
});

test("it gets the host when the older one gives it up", () => {
  const table = new RouteTable();
  table.set(shop, [route("shop", "a")], 1);
  table.set(rival, [route("rival", "a")], 2);
  assert.deepEqual([...table.set(shop, [], 1)].sort(), [route("rival", "a").id, route("shop", "a").id].sort());
  assert.deepEqual([...table.routes.keys()], [route("rival", "a").id]);
  assert.deepEqual(table.lost(rival), []);
});

test("an older app that comes back takes its host again", () => {
  const table = new RouteTable();
  table.set(rival, [route("rival", "a")], 2);
  table.set(shop, [route("shop", "a")], 1);
  assert.deepEqual([...table.routes.keys()], [route("shop", "a").id]);
});
