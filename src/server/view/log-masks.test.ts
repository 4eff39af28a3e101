import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { AppId, MachineId, SpaceName } from "#model/names.ts";
import { startApi } from "../api/testing/api-fixture.ts";
import { apply } from "../operations/apply.ts";
import { setSecret } from "../operations/secret-operations.ts";
import { type LogMasksOptions, masksFor } from "./log-masks.ts";
import { SecretMask } from "./mask-secrets.ts";

const opened = (async () => {
  const api = await startApi();
  const { services } = api;
  const declare = (text: string) =>
    apply(services, { documents: [{ file: "", text }], variables: {}, artifacts: {}, prune: false, force: false, cause: "apply" });
  await declare("space: calm");
  await declare("space: shop");
  for (const name of ["KEY", "OTHER"]) await setSecret(services, { space: "shop" as SpaceName, name, receipt: null }, `value of ${name}`);
  await declare("space: shop\n---\napp: web\nrun: sleep 1\nsecrets: [KEY]");
  return api;
})();
after(async () => (await opened)[Symbol.asyncDispose]());

/** On "m2" runs shop/web. */
async function told(machine: string, isRemote: boolean, ...prefixes: string[]): Promise<Readonly<Record<string, readonly string[]>>> {
  const { store, secrets } = (await opened).services;
  const workload = { name: { space: "shop", app: "web", process: "web", release: 1 }, machine: "m2" };
  const fleet = { apps: () => ["shop/web" as AppId], workloads: () => [workload] } as unknown as LogMasksOptions["fleet"];
  return masksFor({ store, fleet, mask: new SecretMask(secrets) }, { machine: machine as MachineId, isRemote }, prefixes);
}

test("the machine beside the server is told all values of the spaces that are asked for, and no others", async () => {
  const all = await told("m1", false, "");
  assert.deepEqual(Object.keys(all), ["shop"]);
  assert.ok(all["shop"]?.includes("value of KEY") && all["shop"].includes("value of OTHER"));
  assert.deepEqual(await told("m1", false, "calm/"), {});
  assert.deepEqual(await told("m1", false, "shop/web/", "shop/api/"), all);
});

test("another machine is told those of what it runs alone", async () => {
  assert.deepEqual(await told("m3", true, ""), {});
  const { shop = [] } = await told("m2", true, "shop/web/");
  assert.ok(shop.includes("value of KEY") && !shop.includes("value of OTHER"));
});
