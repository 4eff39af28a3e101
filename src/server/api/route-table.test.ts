import assert from "node:assert/strict";
import { test } from "node:test";
import type { Method, Route } from "./route.ts";
import { RouteTable } from "./route-table.ts";

function table(...routes: readonly string[]): RouteTable {
  return new RouteTable(
    routes.map((text) => {
      const [method, path] = text.split(" ") as [Method, string];
      return { method, path } as Route;
    }),
  );
}

function found(routes: RouteTable, method: string, path: string) {
  const { route, params } = routes.find(method, path);
  return [route.path, params];
}

test("a part that is named literally goes before one that may be anything, whatever comes behind it", () => {
  const routes = table("GET /v1/apps/:app", "GET /v1/apps/watch", "GET /v1/:kind/watch/now", "GET /v1/apps/:app/logs");
  assert.deepEqual(found(routes, "GET", "/v1/apps/watch"), ["/v1/apps/watch", {}]);
  assert.deepEqual(found(routes, "GET", "/v1/apps/web"), ["/v1/apps/:app", { app: "web" }]);
  assert.deepEqual(found(routes, "GET", "/v1/apps/watch/logs"), ["/v1/apps/:app/logs", { app: "watch" }]);
  assert.deepEqual(found(routes, "GET", "/v1/apps/watch/now"), ["/v1/:kind/watch/now", { kind: "apps" }]);
});

test("a star takes the rest of the path, slashes and all, and nothing as well", () => {
  const routes = table("GET /kv/*", "GET /kv");
  assert.deepEqual(found(routes, "GET", "/kv/a/b%2Fc//d"), ["/kv/*", { "*": "a/b/c//d" }]);
  assert.deepEqual(found(routes, "GET", "/kv/"), ["/kv/*", { "*": "" }]);
  assert.deepEqual(found(routes, "GET", "/kv"), ["/kv", {}]);
});

test("names of object members are parts like others", () => {
  const routes = table("GET /spaces/:space");
  assert.deepEqual(found(routes, "GET", "/spaces/__proto__"), ["/spaces/:space", { space: "__proto__" }]);
  assert.throws(() => routes.find("GET", "/__proto__"), { code: "ROUTE_UNKNOWN" });
});

test("HEAD is answered as GET is, and by no other route", () => {
  const routes = table("GET /a", "PUT /b");
  assert.equal(routes.find("HEAD", "/a").route.path, "/a");
  assert.throws(() => routes.find("HEAD", "/b"), { code: "METHOD_NOT_ALLOWED" });
});

test("what is no path, no method of it, or badly escaped is told apart", () => {
  const routes = table("GET /a/:x", "PUT /a/:x");
  assert.throws(() => routes.find("POST", "/a/b"), { code: "METHOD_NOT_ALLOWED", hint: "It has GET, PUT." });
  for (const path of ["/a", "/a/", "/a/b/", "/a//b", "/b", "/", "", "*"]) {
    assert.throws(() => routes.find("GET", path), { code: "ROUTE_UNKNOWN" }, path);
  }
  assert.throws(() => routes.find("GET", "/a/%zz"), { code: "REQUEST_INVALID" });
  assert.throws(() => routes.find("GET", "/a/%ff"), { code: "REQUEST_INVALID" });
});
