import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "#host/testing/free-ports.ts";
import { request, root, TestDrover } from "../harness/drover.ts";

const run = `exec node ${join(root, "test/fixtures/web.mjs")}`;

test("what a manifest says of its routes is what clients meet", async () => {
  await using drover = await TestDrover.start();
  const port = await freePort();
  await drover.apply(`app: shop
run: ${run}
ready: { http: / }
routes:
  - {}
  - { host: "*.shop.test", sticky: 1h, limits: { rate_per_client: { requests: 2, per: 1h } } }
  - { host: shop.test, methods: [POST], redirect: "https://new.test{uri}" }
  - { host: shop.test, headers: { x-beta: "1" }, limits: { head: 256B } }
  - { port: ${port} }
`);
  const ask = (host: string, more: { readonly method?: string; readonly path?: string; readonly headers?: Record<string, string> } = {}) =>
    request({ port: drover.edgePort, method: more.method ?? "GET", path: more.path ?? "/", headers: { host, ...more.headers } });

  assert.equal((await ask("shop.default.localhost")).status, 200);
  const [first, second, third] = [await ask("a.shop.test"), await ask("b.shop.test"), await ask("c.shop.test")];
  assert.deepEqual([first.status, second.status, third.status].slice(0, 2), [200, 200]);
  assert.match(String(first.headers["set-cookie"]), /^drover-[\w-]+=[\w.-]+; Max-Age=3600; Path=\/; HttpOnly; SameSite=Lax$/);
  const moved = await ask("shop.test", { method: "POST", path: "/x?y=1" });
  assert.deepEqual([moved.status, moved.headers.location], [308, "https://new.test/x?y=1"]);
  assert.equal((await ask("shop.test")).status, 404);
  assert.equal((await ask("shop.test", { headers: { "x-beta": "1" } })).status, 200);
  assert.equal((await ask("shop.test", { headers: { "x-beta": "1", "x-long": "x".repeat(300) } })).status, 431);
  assert.equal((await request({ port, method: "GET", path: "/", headers: { host: "any" } })).status, 200, "a port of its own");

  const { routes } = JSON.parse(await drover.run("route", "ls", "shop", "--json"));
  const seen = new Map(routes.map((route: { place: string }) => [route.place, route]));
  assert.deepEqual([...seen.keys()], ["*.shop.test/", "shop.default.localhost/", "shop.test/ POST", "shop.test/ x-beta=1", `tcp ${port}`]);
  const { traffic, targets, inForce, tls } = JSON.parse(await drover.run("route", "show", "shop.default.localhost", "--json"));
  assert.deepEqual([traffic.requests, traffic.errors, traffic.classes[1], inForce], [1, 0, 1, true]);
  assert.equal(targets[0].endpoints.length, 1);
  assert.deepEqual(tls, { mode: "both", certificate: "own/shop.default.localhost", hstsMs: null, clients: false });
  assert.match(await drover.run("route", "show", "shop.test/ POST"), /a redirect to https:\/\/new\.test\{uri\}/);
  const ambiguous = await drover.cli(["route", "show", "shop.test"]);
  assert.match(ambiguous.stderr, /could be any of 2 routes {3}\[ROUTE_NOT_FOUND\]/);

  await drover.run("maintenance", "on", "shop", "--message", "Back at noon");
  await drover.until("the page is there", async () => (await ask("shop.default.localhost")).body.includes("Back at noon"));
  assert.equal((await ask("shop.default.localhost")).status, 503);
  await drover.run("maintenance", "off", "shop");
  await drover.until("the app answers again", async () => (await ask("shop.default.localhost")).status === 200);
});
