import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { AppName, ProcessName, SpaceName, WorkloadId } from "#model/names.ts";
import { type ApiFixture, startApi } from "../api/testing/api-fixture.ts";
import { destroy, scale } from "../operations/app-operations.ts";
import { apply } from "../operations/apply.ts";
import { setSecret } from "../operations/secret-operations.ts";
import type { Store, StoreReader } from "../store/store.ts";
import { isLossy, planRestore } from "./restore-plan.ts";
import { describeRestore } from "./restore-words.ts";

const space = "shop" as SpaceName;
let api: ApiFixture;

beforeEach(async () => {
  api = await startApi();
});
afterEach(() => api[Symbol.asyncDispose]());

const app = (name: string, more = "") => `app: ${name}\nrun: serve\n${more}`;

async function declare(text: string): Promise<void> {
  const documents = [{ file: "app.yaml", text }];
  await apply(api.services, { documents, space, variables: {}, artifacts: {}, prune: false, force: false, cause: "apply" });
}

const on = (name: string) => ({ space, app: name as AppName, receipt: null, require: () => undefined });

function snapshot(store: Store): StoreReader {
  const entries = new Map(store.list("").map((entry) => [entry.key, entry]));
  return {
    get: (key) => entries.get(key) ?? null,
    list: (prefix) => [...entries.values()].filter(({ key }) => key.startsWith(prefix)),
  };
}

test("a restore says which apps go, come back and change, what is forgotten, and how many instances that costs", async () => {
  await declare([app("api", "instances: 2\n"), app("old"), app("same")].join("---\n"));
  const backup = snapshot(api.services.store);
  await declare([app("api", "instances: 5\nenv: { A: b }\n"), app("new", "instances: 3\n")].join("---\n"));
  await destroy(api.services, on("old"));
  await setSecret(api.services, { space, name: "KEY", receipt: null }, "value");
  const plan = planRestore(api.services.store, backup);
  assert.deepEqual(describeRestore(plan), [
    "~ shop/api  release 2 → 1; instances 5 → 2; release 2 is forgotten; as it was before: env",
    "- shop/new  is destroyed: it is not in the backup; release 1 with 3 instances now",
    "+ shop/old  comes back: release 1 with 1 instance",
    "= 1 app stays as it is",
    "~ secrets: 1 goes",
    "6 of 9 instances would be stopped, 2 replaced by those of another release, 1 started",
  ]);
  assert.equal(isLossy(plan), true);
});

test("instances that somebody set by hand are a change without a release", async () => {
  await declare(app("api", "instances: 2\n"));
  const backup = snapshot(api.services.store);
  await scale(api.services, on("api"), { ["web" as ProcessName]: 4 });
  assert.deepEqual(describeRestore(planRestore(api.services.store, backup)), [
    "~ shop/api  instances 4 → 2",
    "2 of 4 instances would be stopped",
  ]);
});

test("a backup of what is declared changes nothing, and nothing is lost where nothing was declared", async () => {
  await declare(app("api"));
  const backup = snapshot(api.services.store);
  const same = planRestore(api.services.store, backup);
  assert.deepEqual(describeRestore(same), ["= 1 app stays as it is", "0 of 1 instance would be stopped"]);
  assert.equal(isLossy(same), false);
  assert.equal(isLossy(planRestore(null, backup)), false);
});

test("where what is declared cannot be read, the orders of agents tell what would be stopped", async () => {
  await declare(app("api", "instances: 2\n"));
  const backup = snapshot(api.services.store);
  const orders = new Map([
    ["shop/api/web/1", 1],
    ["shop/api/web/2", 2],
    ["shop/new/web/1", 3],
  ] as [WorkloadId, number][]);
  assert.deepEqual(describeRestore(planRestore(orders, backup)), [
    "~ shop/api  release 2 → 1",
    "- shop/new  is destroyed: it is not in the backup; release 1 with 3 instances now",
    "3 of 5 instances would be stopped, 2 replaced by those of another release",
  ]);
});
