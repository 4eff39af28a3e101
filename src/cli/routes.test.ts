import assert from "node:assert/strict";
import { test } from "node:test";
import type { RouteView } from "#model/api-routes.ts";
import { FakeServer } from "./testing/fake-server.ts";

const traffic = { requests: 1_204, errors: 3, bytesIn: 2_048, bytesOut: 5 * 2 ** 20, p50Ms: 2, p99Ms: 50, classes: [0, 1_190, 0, 11, 3] };

function routeView(changes: Partial<RouteView> = {}): RouteView {
  return {
    id: "shop/api/web api.shop.localhost/",
    space: "shop",
    app: "api",
    process: "web",
    kind: "http",
    place: "api.shop.localhost/",
    host: "api.shop.localhost",
    path: "/",
    port: null,
    protocol: "http",
    when: { headers: {}, methods: [] },
    url: "http://api.shop.localhost:8080",
    tls: { mode: "both", certificate: "own/api.shop.localhost", hstsMs: null, clients: false },
    upstream: { protocol: "http1", verified: false },
    limits: {
      headBytes: null,
      bodyBytes: null,
      bodyRate: null,
      requestMs: null,
      answerMs: null,
      idleMs: null,
      rate: null,
      ratePerClient: null,
    },
    stickyMs: null,
    answer: null,
    targets: [
      { release: 3, share: 0.9, endpoints: [{ instance: "shop/api/web.3.k3f9b", host: "127.0.0.1", port: 20_001 }], traffic },
      { release: 4, share: 0.1, endpoints: [], traffic: { ...traffic, requests: 0 } },
    ],
    traffic,
    inForce: true,
    problem: null,
    ...changes,
  };
}

const database = routeView({
  place: "tcp 5432",
  app: "db",
  tls: null,
  protocol: "tcp",
  targets: [],
  traffic: null,
  inForce: false,
  problem: { code: "PORT_IN_USE", message: "the port is taken" },
});

test("route ls says where routes lead, what is ready there and what takes them", async () => {
  const routes = [routeView(), database, routeView({ place: "old.test/", answer: "https://new.test{uri}", targets: [] })];
  await using fake = await FakeServer.start({ "GET /v1/routes": { json: { routes } } });
  const { code, stdout } = await fake.run(["route", "ls"]);
  assert.equal(
    stdout,
    `ROUTE                TO                   RELEASE         READY  TLS   REQUESTS  ERRORS  P50  P99
api.shop.localhost/  shop/api web         3: 90%, 4: 10%  1      both  1204      3       2    50
tcp 5432             shop/db web          -               0      -     ?         ?       ?    ?    the port is taken
old.test/            shop/api (redirect)  -               0      both  1204      3       2    50
`,
  );
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse((await fake.run(["route", "ls", "shop/api", "--json"])).stdout), { routes });
  assert.deepEqual(fake.requests.at(-1)?.query, { space: "shop", app: "api" });
});

test("route show tells the rules of a route, its instances and its counts", async () => {
  const route = routeView({
    stickyMs: 3_600_000,
    limits: { ...routeView().limits, bodyBytes: 10 * 2 ** 20, ratePerClient: { requests: 10, perMs: 1_000, burst: 30 } },
    upstream: { protocol: "https", verified: false },
  });
  await using fake = await FakeServer.start({ "GET /v1/routes/api.shop.localhost%2F": { json: route } });
  const { stdout } = await fake.run(["route", "show", "api.shop.localhost/"]);
  assert.equal(
    stdout,
    `route        api.shop.localhost/
leads to     shop/api, process web
URL          http://api.shop.localhost:8080
TLS          plain HTTP and HTTPS, certificate own/api.shop.localhost
app speaks   HTTPS, without its certificate being verified
limits       body 10MiB; rate per client 10 per 1s, burst 30
sticky       for 1h
requests     1204 (1190 × 2xx, 11 × 4xx, 3 × 5xx), 3 errors; half within 2ms, 99% within 50ms; 2KiB in, 5MiB out
state        in force at every edge

release 3, 90% of new clients, 1 ready instance
  shop/api/web.3.k3f9b at 127.0.0.1:20001
  1204 (1190 × 2xx, 11 × 4xx, 3 × 5xx), 3 errors; half within 2ms, 99% within 50ms; 2KiB in, 5MiB out

release 4, 10% of new clients, 0 ready instances
  none since the edge was started
`,
  );
});
