import assert from "node:assert/strict";
import { test } from "node:test";
import { siteOf } from "./site.ts";

test("machines of one network stand in one place, unless a label says where they do", () => {
  assert.equal(siteOf("10.0.0.12", {}), "10.0.0.0/24");
  assert.equal(siteOf("::ffff:10.0.0.13", { disk: "ssd" }), "10.0.0.0/24");
  assert.equal(siteOf("2001:db8:0:7::1", {}), "2001:db8:0:7::/64");
  assert.equal(siteOf("2001:0DB8::7:ab:cd:ef:1", {}), siteOf("2001:db8:0:7::9%eth0", {}));
  assert.equal(siteOf("::1", {}), "0:0:0:0::/64");
  assert.equal(siteOf("10.0.0.12", { zone: "a" }), siteOf(null, { zone: "a" }));
  assert.equal(siteOf("fe80::1%eth0", {}), null, "every host has one of those");
  assert.equal(siteOf("host.example", {}), null);
  assert.equal(siteOf(null, {}), null);
});
