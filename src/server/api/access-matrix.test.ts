import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Right, type Role, rights, roles } from "#model/access.ts";
import { checkRule } from "./admit.ts";
import type { Route } from "./route.ts";
import { type ApiFixture, startApi } from "./testing/api-fixture.ts";

type Reach = "all" | "shop" | "blog";

/** Every route of the table with its rule and its path, and nothing behind it. What it reads stays where the rule looks into it. */
function bare(route: Route): Route {
  const { query, body, ...rest } = route;
  const isRead = typeof route.access === "object" && typeof route.access.of === "function";
  const read = isRead
    ? { ...(query === undefined ? {} : { query }), ...(body === undefined || body.kind === "stream" ? {} : { body }) }
    : {};
  return { ...rest, ...read, answer: { kind: "json", schema: undefined as never }, handle: async () => ({ json: {} }) };
}

let api: ApiFixture;
let table: readonly Route[] = [];
const callers: { readonly role: Role; readonly reach: Reach; readonly headers: Record<string, string> }[] = [];

before(async () => {
  api = await startApi({
    routes: (all) => {
      table = all.filter(({ answer }) => answer.kind !== "upgrade");
      // Those that make what this test needs still do so, elsewhere.
      const makers = all.filter(({ id }) => id === "createToken" || id === "putSpace");
      return [...table.map(bare), ...makers.map((route) => ({ ...route, path: `/make${route.path}` }))];
    },
  });
  for (const space of ["shop", "blog"]) await api.call("PUT", `/make/v1/spaces/${space}`, {});
  for (const role of roles)
    for (const reach of ["all", "shop", "blog"] as const) {
      const json = { name: `${role}-${reach}`, role, ...(reach === "all" ? {} : { spaces: [reach] }) };
      const { token } = await api.call<{ token: string }>("POST", "/make/v1/tokens", json);
      callers.push({ role, reach, headers: { authorization: `Bearer ${token}` } });
    }
});
after(() => api[Symbol.asyncDispose]());

/** A request of the route that is about the space, wherever the route names it. */
function requestOf({ path, access, query }: Route, space: string) {
  const filled = path
    .replace(":space", space)
    .replaceAll(/:[a-z]+/g, "x")
    .replace("*", "key");
  if (typeof access !== "object" || typeof access.of !== "function") return { path: filled };
  const archive = path.endsWith("/known") ? `&archive=sha256:${"0".repeat(64)}` : "";
  if (query !== undefined) return { path: `${filled}?space=${space}&app=x${archive}` };
  return { path: filled, json: { documents: [{ file: "a.yaml", text: `space: ${space}\n---\napp: x\nrun: x\n` }] } };
}

/** What the table of rules means, said once more. */
function isAllowed({ access }: Route, role: Role, reach: Reach): boolean {
  if (access === "open" || access === "ticket") return true;
  const hasRole = roles.indexOf(role) >= roles.indexOf(rights[access.right].role);
  if (access.of === "each" || access.of === "common") return hasRole;
  return hasRole && (reach === "all" || (reach === "shop" && access.of !== "installation"));
}

test("every route lets in each role, for each space, by its rule and not otherwise", async (t) => {
  assert.ok(table.length > 90);
  for (const route of table) {
    await t.test(`${route.method} ${route.path}`, async () => {
      const { path, json } = requestOf(route, "shop");
      const found = await Promise.all(
        callers.map(async ({ headers }) => {
          const answer = await api.fetch(route.method, path, { headers, ...(json === undefined ? {} : { json }) });
          return [answer.status, ((await answer.json()) as { code?: string }).code];
        }),
      );
      for (const [i, { role, reach }] of callers.entries()) {
        const expected = isAllowed(route, role, reach) ? [200, undefined] : [403, "NOT_ALLOWED"];
        assert.deepEqual(found[i], expected, `${role} of ${reach}`);
      }
    });
  }
});

test("what changes something is for no viewer, but for these", () => {
  const own = ["plan", "simulateLadder", "simulateScaling", "createUiTicket", "endSession"];
  const found = table.filter(({ method, access }) => method !== "GET" && typeof access === "object" && access.right === "read");
  assert.deepEqual(found.map(({ id }) => id).sort(), own.sort());
  const withoutToken = table.filter(({ access }) => typeof access !== "object").map(({ id }) => id);
  assert.deepEqual(withoutToken.sort(), ["acknowledgeByLink", "getHealth", "openSession", "showAcknowledgement"]);
});

test("what a person on call is asked for, and what reaches beyond apps, takes an operator", () => {
  const needed: Readonly<Record<string, Right>> = {
    approveEscalation: "mend",
    pauseLadder: "mend",
    stopEscalation: "mend",
    setSecret: "secrets",
    deleteSpace: "operate",
    createMachineToken: "operate",
    prepareMachineExec: "host",
    upgradeMachine: "host",
    addCertificate: "operate",
    createToken: "tokens",
    prepareExec: "enter",
    apply: "deploy",
    scaleApp: "deploy",
  };
  for (const [id, right] of Object.entries(needed)) {
    const access = table.find((route) => route.id === id)?.access;
    assert.equal(typeof access === "object" ? access.right : access, right, id);
  }
});

test("a route without a rule, or with one for another space than its path's, does not start", async () => {
  const route = table.find(({ id }) => id === "getApp") ?? assert.fail();
  const { access: _, ...without } = route;
  for (const wrong of [without, { ...route, access: { right: "read", of: "common" } }, { ...route, access: "open" }] as Route[])
    assert.throws(() => checkRule(wrong), /GET \/v1\/spaces\/:space\/apps\/:app/);
  const known = table.find(({ id }) => id === "getVersion") ?? assert.fail();
  assert.throws(() => checkRule({ ...known, access: { right: "read", of: "space" } }), /GET \/v1\/version/);
});

test("a path that is no route is nobody's", async () => {
  for (const { headers } of callers) assert.equal((await api.fetch("GET", "/v1/spaces/shop/nothing", { headers })).status, 404);
  assert.equal((await api.fetch("GET", "/v1/spaces/shop/apps", { headers: { authorization: "" } })).status, 401);
});

test("a list that is asked for another's space is refused, and so is what is no space at all", async () => {
  await using whole = await startApi();
  await whole.call("PUT", "/v1/spaces/shop", {});
  await whole.call("PUT", "/v1/spaces/blog", {});
  const headers = await whole.as("owner", ["shop"]);
  for (const space of ["blog", "not-there"])
    for (const list of ["apps", "instances", "routes", "events"])
      assert.equal((await whole.fetch("GET", `/v1/${list}?space=${space}`, { headers })).status, 403, `${list} of ${space}`);
  for (const path of ["/v1/spaces/sh%6fp%2f..%2fblog", "/v1/spaces/..%2fblog", "/v1/spaces/BLOG", "/v1/spaces/__proto__", "/v1/spaces/%00"])
    assert.equal((await whole.fetch("GET", path, { headers })).status, 403, path);
});
