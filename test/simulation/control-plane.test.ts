import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { plainStart, SimulatedEngine, type SimulatedStart, simulatedMachine } from "../../src/agent/engines/testing/simulated-engine.ts";
import { engineRoutes } from "../../src/agent/routes.ts";
import { systemClock } from "../../src/host/clock.ts";
import { createLog } from "../../src/host/log.ts";
import { type LinkRoutes, serveLink } from "../../src/link/serve.ts";
import type { AppStatus } from "../../src/model/api.ts";
import type { HttpAppRoute } from "../../src/model/app.ts";
import type { AppName, ProcessName } from "../../src/model/names.ts";
import type { Workload } from "../../src/model/workload.ts";
import type { ControlPlane } from "../../src/server/control-plane.ts";
import { createControlPlane } from "../../src/server/create-control-plane.ts";
import { keys, objects, put } from "../../src/server/objects/objects.ts";
import { openMemoryStore } from "../../src/server/store/memory-store.ts";
import type { Store } from "../../src/server/store/store.ts";
import { appAndRelease, nullEvents, refusingSecrets, space } from "./fixtures.ts";

const log = createLog({ print: () => {}, nowMs: Date.now });
const shop = "shop" as AppName;

async function linked(
  context: TestContext,
  behaviour: (workload: Workload) => SimulatedStart = () => plainStart,
  forgetting: LinkRoutes = { "DELETE /apps/:app": async () => null },
): Promise<{ plane: ControlPlane; store: Store }> {
  const folder = await mkdtemp(join(tmpdir(), "drover-plane-"));
  const stop = new AbortController();
  const listener = net.createServer();
  listener.listen(join(folder, "link.sock"));
  await once(listener, "listening");
  const store = openMemoryStore({ random: Math.random });
  const shared = { clock: systemClock, random: Math.random, log };
  const plane = createControlPlane(
    {
      ...shared,
      store,
      events: nullEvents,
      secrets: refusingSecrets,
      listener,
      edgeUrl: "http://127.0.0.1:8080",
      edgeTlsUrl: "https://127.0.0.1:8443",
    },
    stop.signal,
  );
  const engine = new SimulatedEngine({ machine: simulatedMachine(), clock: systemClock, random: Math.random, behaviour });
  const connect = async () => {
    const socket = net.connect(join(folder, "link.sock"));
    await once(socket, "connect");
    return socket;
  };
  const hello = () => ({ role: "agent" as const, machine: "m1", installation: null });
  const agent = serveLink(
    { ...shared, connect, hello, admit: async () => {}, routes: { ...engineRoutes(engine), ...forgetting } },
    stop.signal,
  );
  context.after(async () => {
    stop.abort();
    await Promise.all([agent, plane.stopped]);
    engine.close();
    listener.close();
    await store.close();
    await rm(folder, { recursive: true });
  });
  return { plane, store };
}

async function statusWhere(plane: ControlPlane, signal: AbortSignal, holds: (status: AppStatus) => boolean): Promise<AppStatus> {
  for await (const status of plane.watchApp(space, shop, signal)) if (status !== null && holds(status)) return status;
  throw new Error("the watch ended first");
}

test("an app and its release in the store become ready instances at a linked agent", async (t) => {
  const { plane, store } = await linked(t);
  await store.commit({ changes: appAndRelease(shop, { instances: 3, port: "auto" }) });
  const status = await statusWhere(plane, t.signal, ({ health }) => health === "ready");
  assert.equal(status.instances.length, 3);
  assert.equal(status.active, 1);
  assert.deepEqual(status.reasons, []);
  assert.deepEqual(status.urls, ["http://shop.sim.localhost:8080"]);
  assert.deepEqual(
    plane.summaries().map(({ name, ready, wanted }) => [name, ready, wanted]),
    [["shop", 3, 3]],
  );
  assert.equal(plane.execPlace(space, shop, { fresh: false }).instance, status.instances[0]?.id);
});

test("an app tells what is served over HTTPS alone, and where the edge verifies nothing", async (t) => {
  const { plane, store } = await linked(t);
  const served: readonly (readonly [string, Partial<HttpAppRoute>])[] = [
    ["/", {}],
    ["/", { host: "own.test", passthrough: true }],
    ["/on", { policy: { tls: { mode: "redirect" } } }],
    ["/any", { policy: { upstream: { protocol: "https", verify: false } } }],
  ];
  const routes = served.map(([path, more]) => ({ host: "shop.test", path, to: "web" as ProcessName, ...more }));
  await store.commit({ changes: appAndRelease(shop, { instances: 1, port: "auto", routes }) });
  const status = await statusWhere(plane, t.signal, ({ health }) => health === "ready");
  assert.deepEqual(status.urls, [
    "http://shop.test:8080",
    "https://own.test:8443",
    "https://shop.test:8443/on",
    "http://shop.test:8080/any",
  ]);
  assert.deepEqual(
    status.reasons.map(({ code }) => code),
    ["UPSTREAM_UNVERIFIED"],
  );
});

test("a first release that crashes is failed and says why, and stays visible", async (t) => {
  const { plane, store } = await linked(t, () => ({ ...plainStart, readyMs: null, exitAfterMs: 1, exitCode: 7 }));
  await store.commit({ changes: appAndRelease(shop, { instances: 1, port: "auto" }) });
  const status = await statusWhere(plane, t.signal, ({ lastFailure }) => lastFailure !== null);
  assert.equal(status.health, "down");
  assert.match(status.lastFailure?.failure.reason ?? "", /exited with 7, for the 3rd time and never became ready/);
  assert.deepEqual(status.lastFailure?.failure.lines, ["exit 7", "exit 7", "exit 7"]);
  assert.deepEqual(
    plane
      .why(space, shop)
      .slice(0, 2)
      .map(({ code }) => code),
    ["RELEASE_FAILED", "CRASHED"],
  );
});

for (const [agent, forgetting] of [
  ["", undefined],
  [" although its agent is too old to know how to remove its files", {}],
] as const)
  test(`a destroyed app is stopped, then forgotten${agent}`, async (t) => {
    const { plane, store } = await linked(t, undefined, forgetting);
    await store.commit({ changes: appAndRelease(shop, { instances: 2, port: "none" }) });
    await statusWhere(plane, t.signal, ({ health }) => health === "ready");
    const stored = objects.app(store, space, shop);
    await store.commit({ changes: [put(keys.app(space, shop), { ...stored?.value, destroying: true })] });
    for await (const status of plane.watchApp(space, shop, t.signal)) if (status === null) break;
    assert.deepEqual(store.list("/releases/"), []);
    assert.deepEqual(plane.instances(space, shop), []);
  });
