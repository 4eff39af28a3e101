import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppId, AppName, InstanceId, ProcessName, RouteId, SpaceName } from "#model/names.ts";
import { type Listener, latencyBoundsMs, type Route, type RoutePolicy, type TargetTraffic } from "#model/routing-table.ts";
import { RouteAddresses } from "./route-address.ts";
import { meantRoutes, type RouteViewInput, viewRoute } from "./route-view.ts";

const certificates = {
  "shop.example.com": { id: "acme/shop.example.com", isTrusted: true },
  "shop.localhost": { id: "own/shop.localhost", isTrusted: false },
};
const certificateOf = (host: string) => new Map(Object.entries(certificates)).get(host) ?? null;
const addresses = new RouteAddresses("http://127.0.0.1:8080", "https://127.0.0.1:8443", certificateOf);

function routeOf(listener: Listener, policy?: RoutePolicy, endpoints = 2): Route {
  const [first, second] = [0.9, 0.1].map((weight, i) => ({
    release: i + 1,
    weight,
    endpoints: Array.from({ length: endpoints }, (_, n) => ({
      instance: `s/a/web.${i + 1}.${n}` as InstanceId,
      host: "127.0.0.1",
      port: 7000 + n,
    })),
  }));
  return {
    id: `s/a/web ${JSON.stringify(listener)}` as RouteId,
    space: "s" as SpaceName,
    app: "a" as AppName,
    process: "web" as ProcessName,
    listener,
    ...(policy === undefined ? {} : { policy }),
    targets: [first, second].flatMap((one) => one ?? []),
  };
}

const view = (route: Route, changes: Partial<RouteViewInput> = {}) =>
  viewRoute({ route, holder: null, traffic: [], problem: null, inForce: true, addresses, certificateOf, ...changes });
const http = (host: string, path = "/", when?: { methods?: string[]; headers?: Record<string, string | null> }): Listener => ({
  kind: "public",
  host,
  path,
  ...(when === undefined ? {} : { when }),
});

test("a URL begins with https where plain HTTP is only sent on, be it by the route, by its clients' certificates or because browsers trust the host's", () => {
  const urls = (
    [
      [http("shop.localhost"), undefined],
      [http("shop.example.com", "/api"), undefined],
      [http("shop.example.com"), { tls: { mode: "both" } }],
      [http("shop.localhost"), { tls: { mode: "redirect" } }],
      [http("shop.localhost"), { tls: { client: { caPem: "" } } }],
      [{ kind: "passthrough", host: "shop.localhost" }, undefined],
      [{ kind: "port", port: 5432, protocol: "tcp" }, undefined],
      [http("*.shop.localhost"), undefined],
    ] as const satisfies readonly (readonly [Listener, RoutePolicy | undefined])[]
  ).map(([listener, policy]) => view(routeOf(listener, policy))?.url);
  assert.deepEqual(urls, [
    "http://shop.localhost:8080",
    "https://shop.example.com:8443/api",
    "http://shop.example.com:8080",
    "https://shop.localhost:8443",
    "https://shop.localhost:8443",
    "https://shop.localhost:8443",
    "tcp://127.0.0.1:5432",
    null,
  ]);
});

test("what edges counted is added up, by release and for all of them", () => {
  const counted = (release: number, requests: number, bucket: number): TargetTraffic => ({
    route: "r" as RouteId,
    release,
    requests,
    errors: 1,
    bytesIn: 10,
    bytesOut: 20,
    latency: [...latencyBoundsMs, 0].map((_, i) => (i === bucket ? requests : 0)),
    classes: [0, requests - 1, 0, 0, 1],
  });
  // Release 0 has left the table since; its last answer took longer than any bound.
  const seen = view(routeOf(http("shop.localhost")), {
    traffic: [counted(1, 90, 0), counted(1, 9, 2), counted(0, 1, latencyBoundsMs.length)],
  });
  assert.deepEqual(
    seen?.targets.map(({ release, share, traffic }) => [release, share, traffic?.requests, traffic?.p50Ms, traffic?.p99Ms]),
    [
      [1, 0.9, 99, 1, 5],
      [2, 0.1, 0, null, null],
    ],
  );
  assert.deepEqual(seen?.traffic, { requests: 100, errors: 3, bytesIn: 30, bytesOut: 60, p50Ms: 1, p99Ms: 5, classes: [0, 97, 0, 0, 3] });
  assert.equal(view(routeOf(http("shop.localhost")), { traffic: null })?.traffic, null);
});

test("a route whose place another app has says which", () => {
  const seen = view(routeOf(http("shop.localhost")), { holder: "s/other" as AppId, inForce: false });
  assert.deepEqual(seen?.problem, { code: "ROUTE_CONFLICT", message: "s/other has its place" });
});

test("names of DNS are no routes of traffic", () => {
  assert.equal(view(routeOf({ kind: "name", name: "web.a.s", isMain: true, protocol: "http", servicePort: null })), null);
});

test("a route is meant by its id, its place, or its host and path as long as one alone has them", () => {
  const routes = [
    http("shop.localhost"),
    http("shop.localhost", "/api", { methods: ["GET"] }),
    http("shop.localhost", "/api", { headers: { "x-beta": "1", "x-team": null } }),
    http("shop.localhost", "/only", { methods: ["POST", "PUT"] }),
    { kind: "port", port: 5353, protocol: "udp" } as const,
  ].flatMap((listener) => view(routeOf(listener)) ?? []);
  const meant = (name: string) => meantRoutes(routes, name).map(({ place }) => place);
  assert.deepEqual(meant("shop.localhost"), ["shop.localhost/"]);
  assert.deepEqual(meant(routes[0]?.id ?? ""), ["shop.localhost/"]);
  assert.deepEqual(meant("shop.localhost/api"), ["shop.localhost/api GET", "shop.localhost/api x-beta=1 x-team"]);
  assert.deepEqual(meant("shop.localhost/only/"), ["shop.localhost/only POST,PUT"]);
  assert.deepEqual(meant("udp 5353"), ["udp 5353"]);
  assert.deepEqual(meant("other.localhost"), []);
});
