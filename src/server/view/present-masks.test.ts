import assert from "node:assert/strict";
import { test } from "node:test";
import type { TailMasks } from "#model/log-event.ts";
import type { LogMasks } from "#model/log-mask.ts";
import type { AppId, SpaceName } from "#model/names.ts";
import { startApi } from "../api/testing/api-fixture.ts";
import { Subscribers } from "../controllers/subscribers.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import { apply } from "../operations/apply.ts";
import { setSecret } from "../operations/secret-operations.ts";
import { SecretMask } from "./mask-secrets.ts";
import { PresentMasks, type PresentMasksOptions } from "./present-masks.ts";

test("agents that are followed hear of secrets that are set meanwhile, another machine's of those that come to run there", async () => {
  await using api = await startApi();
  const { services } = api;
  const { store, secrets, clock, log } = services;
  const declare = (text: string) =>
    apply(services, { documents: [{ file: "", text }], variables: {}, artifacts: {}, prune: false, force: false, cause: "apply" });
  await declare("space: shop");
  const set = (name: string, value: string) => setSecret(services, { space: "shop" as SpaceName, name, receipt: null }, value);

  const stop = new AbortController();
  const subscribers = new Subscribers();
  let onM2 = false;
  const workload = { name: { space: "shop", app: "web", process: "web", release: 1 }, machine: "m2" };
  const fleet = {
    apps: () => ["shop/web" as AppId],
    workloads: () => (onM2 ? [workload] : []),
  } as unknown as PresentMasksOptions["fleet"];
  const masks = new PresentMasks({ store, fleet, subscribers, mask: new SecretMask(secrets), clock, log }, ["shop/web/"], stop.signal);
  const heard: { readonly machine: string; readonly masks: LogMasks }[] = [];
  let onHeard = () => {};
  let answers = 0;
  const peer = (machine: string, isRemote: boolean) =>
    ({
      machine,
      isRemote,
      remaskTail: async ({ masks }: TailMasks) => {
        // It has not begun to read when it is told first.
        if (answers++ === 0) return { isRead: false };
        heard.push({ machine, masks });
        onHeard();
        return { isRead: true };
      },
    }) as unknown as AgentPeer;
  const next = async (change: () => unknown) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    onHeard = resolve;
    await change();
    await promise;
    return heard.at(-1);
  };

  assert.deepEqual(masks.begin(peer("m1", false), stop.signal).masks, {});
  assert.deepEqual(masks.begin(peer("m2", true), stop.signal).masks, {});
  const first = await next(() => set("KEY", "value of KEY"));
  assert.equal(first?.machine, "m1");
  assert.ok(first.masks["shop"]?.includes("value of KEY"));
  await declare("space: shop\n---\napp: web\nrun: sleep 1\nsecrets: [KEY]");
  const second = await next(() => {
    onM2 = true;
    subscribers.changed("shop/web" as AppId);
  });
  assert.equal(second?.machine, "m2");
  assert.ok(second.masks["shop"]?.includes("value of KEY"));
  stop.abort();
  await masks.stopped();
  assert.equal(heard.length, 2);
});
