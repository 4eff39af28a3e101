import assert from "node:assert/strict";
import { test } from "node:test";
import { types } from "./codes.ts";
import { nameRoute } from "./testing/zone-routes.ts";
import { Zone } from "./zone.ts";

/** How many addresses a process has, of whose two instances one is on another machine that takes connections of edges alone. */
function addressesWith(servicePort?: number): number {
  const route = nameRoute("web.shop.s", ["10.0.0.1:20001", "10.0.0.2:20002"], servicePort === undefined ? {} : { servicePort });
  const entry = { name: "m2.machine.drover", port: 7_375 };
  const targets = route.targets.map((target) => ({
    ...target,
    endpoints: target.endpoints.map((endpoint) => (endpoint.host === "10.0.0.2" ? { ...endpoint, entry } : endpoint)),
  }));
  const zone = new Zone(null);
  zone.apply({ set: [{ ...route, targets }], remove: [] });
  const found = zone.lookup(["shop", "s", "drover"], types.a);
  return found.kind === "found" ? found.records.length : 0;
}

test("an instance that only edges reach is named by the app's service address, and not at all while that is closed", () => {
  assert.equal(addressesWith(), 1, "the one on this machine");
  assert.equal(addressesWith(31_000), 2, "that, and the service address");
});
