import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { App } from "#model/app.ts";
import type { AppName, SpaceName } from "#model/names.ts";
import { keys, put } from "../objects/objects.ts";
import { openSealer } from "../secrets/open-sealer.ts";
import { openMemoryStore } from "../store/memory-store.ts";
import { silentLog, temporaryFolder } from "../store/testing/temporary-store.ts";
import { openAuthority } from "./authority.ts";
import { CertificateController } from "./certificate-controller.ts";
import { listCertificates } from "./stored-certificates.ts";

const space = "shop" as SpaceName;

async function world(t: TestContext) {
  const folder = await temporaryFolder(t);
  const clock = new VirtualClock();
  const store = openMemoryStore({ random: () => 0.5 });
  const sealer = openSealer(store, join(folder, "secrets.key"));
  const authority = await openAuthority(folder, clock);
  const stop = new AbortController();
  const controller = new CertificateController(
    {
      store,
      sealer,
      events: { append: () => {} } as never,
      authority: async () => authority,
      orderer: { order: () => Promise.reject(new Error("nothing is to be ordered")) },
      clock,
      random: () => 0.5,
      log: silentLog,
      machines: null,
    },
    stop.signal,
  );
  t.after(async () => {
    stop.abort();
    await controller.stopped();
  });
  const app = (name: string, hosts: readonly string[], release: number): App => ({
    ...({ name: name as AppName, space, manifest: {}, destroying: false, lastRelease: release } as Partial<App> as App),
    routes: hosts.map((host) => ({ host, path: "/", to: "web" }) as never),
  });
  const declare = (apps: readonly App[]) => store.commit({ changes: apps.map((one) => put(keys.app(space, one.name), one)) });
  /** Once what is to be done at this moment is done, keys that other threads make included. */
  const certificates = async (wanted: number) => {
    while (listCertificates(store).length < wanted) await clock.advance(0);
    return listCertificates(store).length;
  };
  return { clock, store, app, declare, certificates };
}

test("hosts of one app have certificates at once; those of a whole space wait until its apps have had their turn", async (t) => {
  const { clock, store, app, declare, certificates } = await world(t);
  await declare([app("first", ["a.shop.localhost", "b.shop.localhost"], 1)]);
  assert.equal(await certificates(2), 2);
  const many = Array.from({ length: 30 }, (_, i) => app(`app-${i}`, [`app-${i}.shop.localhost`], 1));
  await declare(many);
  await clock.advance(900);
  assert.equal(listCertificates(store).length, 2);
  await clock.advance(100);
  assert.equal(await certificates(32), 32);
});

test("a clock that is set back does not keep the certificates of a space waiting", async (t) => {
  const { clock, store, app, declare, certificates } = await world(t);
  await declare(Array.from({ length: 30 }, (_, i) => app(`app-${i}`, [`app-${i}.shop.localhost`], 1)));
  await clock.advance(500);
  clock.jump(-3_600_000);
  for (let seconds = 0; seconds < 5 && listCertificates(store).length === 0; seconds++) await clock.advance(1_000);
  assert.equal(await certificates(30), 30);
});

test("an app that moves to another host gets its certificate, and the old one goes", async (t) => {
  const { store, app, declare, certificates, clock } = await world(t);
  await declare([app("web", ["old.shop.localhost"], 1)]);
  await certificates(1);
  await declare([app("web", ["new.shop.localhost"], 2)]);
  while (!listCertificates(store).some(({ hosts }) => hosts.includes("new.shop.localhost"))) await clock.advance(0);
  while (listCertificates(store).some(({ hosts }) => hosts.includes("old.shop.localhost"))) await clock.advance(0);
});
