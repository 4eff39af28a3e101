import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import { keys, put } from "../objects/objects.ts";
import { openSealer } from "../secrets/open-sealer.ts";
import { openMemoryStore } from "../store/memory-store.ts";
import type { Store } from "../store/store.ts";
import { silentLog, temporaryFolder } from "../store/testing/temporary-store.ts";
import { AcmeProblem } from "./acme/problem.ts";
import type { AcmeSettings } from "./acme-settings.ts";
import { Alerts } from "./alerts.ts";
import { openAuthority } from "./authority.ts";
import type { Orderer } from "./orderer.ts";
import { Orders } from "./orders.ts";

const host = "shop.example.com";
const minuteMs = 60_000;

/** A server's orders; those of the next server have the same store. */
async function world(t: TestContext) {
  const folder = await temporaryFolder(t);
  const clock = new VirtualClock();
  const store = openMemoryStore({ random: () => 0.5 });
  const sealer = openSealer(store, join(folder, "secrets.key"));
  const authority = await openAuthority(folder, clock);
  const settings: AcmeSettings = {
    directory: "https://ca.test/directory",
    email: null,
    challenge: "http-01",
    caPem: null,
    accountKey: sealer.seal("key", ["x"]),
  };
  await store.commit({ changes: [put(keys.acme, settings)] });
  const told: { kind: string; message: string }[] = [];
  const events = { append: (event: { kind: string; message: string }) => told.push(event) } as never;
  /** @param answer of the authority */
  const start = (answer: Error | null) => {
    const running: Promise<void>[] = [];
    const orderer: Orderer = {
      order: async () => {
        if (answer !== null) throw answer;
        return authority.issue(host, [host]);
      },
    };
    const options = {
      store,
      sealer,
      events,
      orderer,
      clock,
      random: () => 0.5,
      log: silentLog,
      onChallenges: async () => {},
      onOrdered: () => {},
    };
    const orders = new Orders({ ...options, own: (work) => running.push(work) }, t.signal);
    return { orders, settled: () => Promise.all(running) };
  };
  const failed = async (error: Error) => {
    const { orders, settled } = start(error);
    await orders.route(new Set([host]));
    orders.start([host]);
    await settled();
    return orders;
  };
  return { clock, store, settings, start, failed, told };
}

const minutesLeft = (orders: Orders, clock: VirtualClock) => [...orders.notBeforeMs.values()].map((ms) => (ms - clock.nowMs()) / minuteMs);

test("a server that starts anew asks an authority no sooner than the one before would have, and knows what it said", async (t) => {
  const { clock, start, failed } = await world(t);
  assert.deepEqual(minutesLeft(await failed(new Error("no route to it")), clock), [15]);
  await clock.advance(5 * minuteMs);
  const { orders } = start(null);
  assert.deepEqual([minutesLeft(orders, clock), orders.failureOf(host)], [[10], "no route to it"]);
  assert.deepEqual(orders.failures(), [], "of hosts that are not routed nothing is told");
  await orders.route(new Set([host]));
  assert.deepEqual(orders.failures().length, 1);
  // The next failure is the second in a row, whichever server saw the first.
  assert.deepEqual(minutesLeft(await failed(new Error("still none")), clock), [30]);
  // What the authority itself asks for counts if it is longer.
  assert.deepEqual(minutesLeft(await failed(new AcmeProblem("rateLimited", "too many", 429, 600 * minuteMs)), clock), [600]);
});

test("an order that works, one that is asked for, and other settings end the wait", async (t) => {
  const { clock, store, settings, start, failed } = await world(t);
  const kept = (from: Store) => from.list(keys.failedOrders).length;
  await failed(new Error("no route to it"));
  const other = { ...settings, challenge: "tls-alpn-01" } as const;
  await store.commit({ changes: [put(keys.acme, other)] });
  assert.deepEqual(minutesLeft(start(null).orders, clock), []);
  await store.commit({ changes: [put(keys.acme, settings)] });
  const { orders, settled } = start(null);
  assert.deepEqual(minutesLeft(orders, clock), [15]);
  await orders.renew(host);
  await settled();
  assert.deepEqual([kept(store), orders.failureOf(host)], [0, null]);
});

test("a host that is routed no more is forgotten, but not before it could be ordered again", async (t) => {
  const { clock, store, failed } = await world(t);
  const orders = await failed(new Error("no route to it"));
  await orders.route(new Set());
  assert.equal(store.list(keys.failedOrders).length, 1);
  await clock.advance(15 * minuteMs);
  await orders.route(new Set());
  assert.equal(store.list(keys.failedOrders).length, 0);
});

test("the end of a certificate is told once for each of its last days, over restarts, with why it was not renewed", async (t) => {
  const { store, told } = await world(t);
  const alerts = () =>
    new Alerts({
      store,
      events: { append: (event: never) => told.push(event) } as never,
      log: silentLog,
      failureOf: () => "no route to it",
    });
  const id = `acme/${host}`;
  const certificate = { id, origin: "acme", hosts: [host], issuer: "x", fingerprint: "x", notBeforeMs: 0, notAfterMs: 1 } as const;
  await alerts().set([{ id, days: 7 }], [certificate]);
  await alerts().set([{ id, days: 7 }], [certificate]);
  const last = alerts();
  await last.set([{ id, days: 1 }], [certificate]);
  assert.deepEqual(
    told.map(({ message }) => message),
    [
      `the certificate ${id} for ${host} ends within 7 days and was not renewed: no route to it`,
      `the certificate ${id} for ${host} ends within a day and was not renewed: no route to it`,
    ],
  );
  assert.deepEqual(last.problems(), [
    { code: "CERTIFICATE_EXPIRING", message: `certificate ${id} ends within a day and was not renewed: no route to it` },
  ]);
});
