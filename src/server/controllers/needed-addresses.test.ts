import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppId } from "#model/names.ts";
import { NeededAddresses } from "./needed-addresses.ts";

const [db, shop, desk] = ["s/db", "s/shop", "s/desk"] as unknown as readonly [AppId, AppId, AppId];

test("an app is named when the first one needs its port, and when the last one does not any more", () => {
  const needed = new NeededAddresses();
  assert.deepEqual([...needed.set(shop, [{ app: db, port: 1 }])], [db]);
  assert.deepEqual([...needed.set(desk, [{ app: db, port: 1 }])], []);
  assert.deepEqual([...needed.portsOf(db)], [1]);
  assert.deepEqual([...needed.set(shop, [])], []);
  assert.deepEqual([...needed.set(desk, [])], [db]);
  assert.deepEqual([...needed.portsOf(db)], []);
});

test("declaring the same needs again names nobody, and another port of the same app names it", () => {
  const needed = new NeededAddresses();
  needed.set(shop, [{ app: db, port: 1 }]);
  assert.deepEqual([...needed.set(shop, [{ app: db, port: 1 }])], []);
  assert.deepEqual([...needed.set(shop, [{ app: db, port: 2 }])], [db]);
  assert.deepEqual([...needed.portsOf(db)], [2]);
});
