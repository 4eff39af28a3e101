import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RouteId } from "#model/names.ts";
import type { Listener } from "#model/routing-table.ts";
import type { LiveRoute } from "./live-route.ts";
import { RouteIndex } from "./route-index.ts";

type Public = Extract<Listener, { kind: "public" }>;

let made = 0;
function live(listener: Omit<Public, "kind">): LiveRoute {
  const id = `${String(++made).padStart(6, "0")} ${listener.host}${listener.path}` as RouteId;
  // Only the route's identity and listener are looked at.
  return {
    route: { id, space: "s", app: "a", process: "web", listener: { kind: "public", ...listener }, targets: [] },
  } as unknown as LiveRoute;
}

function indexOf(...routes: readonly LiveRoute[]): RouteIndex {
  const index = new RouteIndex();
  for (const route of routes) index.add(route);
  return index;
}

const get = { method: "GET", kept: "" };

test("an exact host comes before a wildcard, a wildcard before every host, and a longer path before a shorter one", () => {
  const [exact, api, wild, wildApi, all] = [
    live({ host: "a.shop.test", path: "/" }),
    live({ host: "a.shop.test", path: "/api" }),
    live({ host: "*.shop.test", path: "/" }),
    live({ host: "*.shop.test", path: "/api/v2" }),
    live({ host: "*", path: "/" }),
  ] as const;
  const index = indexOf(all, wild, wildApi, exact, api);
  for (const [host, path, expected] of [
    ["a.shop.test", "/", exact],
    ["a.shop.test", "/api", api],
    ["a.shop.test", "/api/v2", api],
    ["a.shop.test", "/apix", exact],
    ["b.shop.test", "/api", wild],
    ["b.shop.test", "/api/v2/x", wildApi],
    ["b.b.shop.test", "/", all],
    ["shop.test", "/", all],
    [".shop.test", "/", wild],
    ["[::1]", "/", all],
  ] as const)
    assert.equal(index.find(host, path, get), expected, `${host}${path}`);
  assert.equal(indexOf(wild).find("shop.test", "/", get), null, "a wildcard stands for one label, never for none");
});

test("a route with more conditions comes first, and one whose conditions fail leaves the request to the next", () => {
  const [plain, posts, beta, betaPosts] = [
    live({ host: "a.test", path: "/" }),
    live({ host: "a.test", path: "/", when: { methods: ["POST", "PUT"] } }),
    live({ host: "a.test", path: "/", when: { headers: { "x-beta": null } } }),
    live({ host: "a.test", path: "/", when: { headers: { "x-beta": "2" }, methods: ["POST"] } }),
  ] as const;
  const index = indexOf(plain, posts, beta, betaPosts);
  for (const [method, kept, expected] of [
    ["GET", "", plain],
    ["POST", "", posts],
    ["GET", "x-beta: 1\r\n", beta],
    ["GET", "accept: */*\r\nX-BETA:2  \r\n", beta],
    ["POST", "x-beta: 1\r\nX-Beta: 2\r\n", betaPosts],
    ["GET", "xx-beta: 2\r\nx-beta-y: 2\r\na: x-beta: 2\r\n", plain],
  ] as const)
    assert.equal(index.find("a.test", "/", { method, kept }), expected, `${method} ${kept}`);
  index.delete(plain);
  assert.equal(index.find("a.test", "/", get), null);
});

test("the index finds what trying every route in the order of precedence finds, after any additions and removals", () => {
  const host = fc.constantFrom("a.x.test", "b.x.test", "*.x.test", "*.test", "*");
  const path = fc.array(fc.constantFrom("a", "b", "ab"), { maxLength: 3 }).map((parts) => `/${parts.join("/")}`);
  const when = fc.constantFrom(undefined, { methods: ["POST"] }, { headers: { h: "1" } }, { headers: { h: null }, methods: ["GET"] });
  const listeners = fc.array(fc.record({ host, path, when }), { maxLength: 25 });
  const asked = fc.record({
    host: fc.constantFrom("a.x.test", "b.x.test", "c.x.test", "x.test", "test"),
    path: path.chain((one) => fc.constantFrom(one, `${one}/`, `${one}x`)),
    method: fc.constantFrom("GET", "POST"),
    kept: fc.constantFrom("", "h: 1\r\n", "h: 2\r\n"),
  });
  const covers = (prefix: string, one: string) => prefix === "/" || one === prefix || one.startsWith(`${prefix}/`);
  const hostRank = (own: string, one: string) => {
    if (own === one) return 2;
    if (own === "*") return 0;
    return own.startsWith("*.") && own.slice(1) === one.slice(one.indexOf(".")) && one.includes(".") ? 1 : -1;
  };
  fc.assert(
    fc.property(listeners, fc.array(fc.nat(24), { maxLength: 10 }), asked, (all, gone, request) => {
      const routes = all.map(({ when: conditions, ...place }) =>
        live({ ...place, ...(conditions === undefined ? {} : { when: conditions }) }),
      );
      const index = indexOf(...routes);
      for (const at of gone) if (routes[at] !== undefined) index.delete(routes[at]);
      const left = routes.filter((_, at) => !gone.includes(at));
      const ranked = left
        .map((route, order) => {
          const { listener } = route.route;
          assert.ok(listener.kind === "public");
          const { headers, methods } = (listener.when ?? {}) as NonNullable<Public["when"]>;
          const holds =
            (methods?.includes(request.method) ?? true) &&
            (headers === undefined || (headers["h"] === null ? request.kept !== "" : request.kept === "h: 1\r\n"));
          const conditions = Object.keys(headers ?? {}).length + (methods === undefined ? 0 : 1);
          const rank = covers(listener.path, request.path) && holds ? hostRank(listener.host, request.host) : -1;
          return { route, order, rank, length: listener.path === "/" ? 0 : listener.path.length, conditions };
        })
        .filter(({ rank }) => rank >= 0)
        .sort((a, b) => b.rank - a.rank || b.length - a.length || b.conditions - a.conditions || a.order - b.order);
      assert.equal(index.find(request.host, request.path, request), ranked[0]?.route ?? null);
    }),
  );
});
