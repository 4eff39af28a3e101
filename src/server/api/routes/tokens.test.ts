import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { objects } from "../../objects/objects.ts";
import { type ApiFixture, startApi } from "../testing/api-fixture.ts";
import { readEvents } from "../testing/read-events.ts";

interface Made {
  readonly token: string;
  readonly expiresAtMs: number;
}

/** A name that nobody of another space may get to read. */
const canary = "canary";
let api: ApiFixture;

before(async () => {
  api = await startApi({
    controlPlane: {
      routes: async () => [{ space: canary, app: canary, place: `${canary}.example` } as never],
      usage: async () => ({ machines: [], instances: [{ id: `${canary}/a/web.1.x`, space: canary } as never], silent: [] }),
      instances: (space, app) => [{ id: `${space}/${app}/web.1.x`, process: "web", release: 1, machine: "m" } as never],
      traffic: async () => ({
        counted: [{ route: { space: canary, app: canary, process: "web", place: canary } } as never],
        left: [],
        answered: new Set(),
      }),
      problems: async () => [{ code: "UNHEALTHY", message: canary }],
      unmended: async (space) => [{ code: "UNHEALTHY", message: `of ${space}` }],
    },
  });
  for (const space of [canary, "shop"]) {
    await api.call("PUT", `/v1/spaces/${space}`, {});
    await api.call("PUT", `/v1/spaces/${space}/apps/${space}-app`, { run: "sleep 1" });
  }
});
after(() => api[Symbol.asyncDispose]());

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const statusOf = async (method: string, path: string, headers: Record<string, string>, json?: unknown) => {
  const answer = await api.fetch(method, path, { headers, ...(json === undefined ? {} : { json }) });
  const { code } = (await answer.json()) as { code?: string };
  return [answer.status, code];
};

test("a token is told once, works, is listed without itself, and is worth nothing once revoked", async () => {
  const made = await api.call<Made>("POST", "/v1/tokens", { name: "ci", role: "deployer", spaces: ["shop"] });
  const headers = bearer(made.token);
  const days = (made.expiresAtMs - Date.now()) / 86_400_000;
  assert.equal(Math.round(days), 90);
  const holder = await (await api.fetch("GET", "/v1/holder", { headers })).json();
  assert.deepEqual(holder, { name: "ci", role: "deployer", spaces: ["shop"], expiresAtMs: made.expiresAtMs });
  assert.deepEqual(await statusOf("POST", "/v1/spaces/shop/apps/shop-app/restart", headers, {}), [200, undefined]);
  const secret = made.token.slice(-72, -8);
  const listed = await (await api.fetch("GET", "/v1/tokens")).text();
  assert.match(listed, /"name":"ci","role":"deployer","spaces":\["shop"\],"createdAtMs":\d+,"createdBy":"owner"/);
  const kept = api.services.store.list("").map(({ value }) => Buffer.from(value).toString());
  for (const text of [listed, ...kept, JSON.stringify(api.services.events.query({}))]) assert.ok(!text.includes(secret), text);
  await api.call("DELETE", "/v1/tokens/ci");
  assert.deepEqual(await statusOf("GET", "/v1/holder", headers), [401, "UNAUTHENTICATED"]);
  assert.deepEqual(await statusOf("DELETE", "/v1/tokens/ci", {}), [404, "TOKEN_NOT_FOUND"]);
  const told = api.services.events.query({}).filter(({ kind }) => kind.startsWith("token."));
  assert.deepEqual(
    told.map(({ message }) => message),
    ['owner made the token "ci": deployer of shop', 'owner revoked the token "ci"'],
  );
});

test("what makes no good token is refused", async () => {
  const refused = (json: unknown) => statusOf("POST", "/v1/tokens", {}, json);
  await api.call("POST", "/v1/tokens", { name: "taken", role: "viewer" });
  const year = 365 * 86_400_000;
  for (const [more, expected] of [
    [{ name: "taken" }, [409, "CONFLICT"]],
    [{ name: "owner" }, [409, "CONFLICT"]],
    [{ name: "Bad_Name" }, [400, "REQUEST_INVALID"]],
    [{ role: "root" }, [400, "REQUEST_INVALID"]],
    [{ role: "constructor" }, [400, "REQUEST_INVALID"]],
    [{ spaces: [] }, [400, "REQUEST_INVALID"]],
    [{ spaces: ["not-there"] }, [404, "SPACE_NOT_FOUND"]],
    [{ expiresInMs: year + 1 }, [400, "REQUEST_INVALID"]],
    [{ expiresInMs: 0 }, [400, "REQUEST_INVALID"]],
    [{ expiresAtMs: null }, [400, "REQUEST_INVALID"]],
  ] as const)
    assert.deepEqual(await refused({ name: "new", role: "viewer", ...more }), expected, JSON.stringify(more));
});

test("an owner of one space gives out tokens for it alone, and knows of no others", async () => {
  const headers = await api.as("owner", ["shop"]);
  const make = (json: unknown) => statusOf("POST", "/v1/tokens", headers, json);
  assert.deepEqual(await make({ name: "more", role: "owner" }), [403, "NOT_ALLOWED"]);
  assert.deepEqual(await make({ name: "more", role: "viewer", spaces: [canary] }), [403, "NOT_ALLOWED"]);
  assert.deepEqual(await make({ name: "more", role: "viewer", spaces: ["shop", canary] }), [403, "NOT_ALLOWED"]);
  assert.deepEqual(await make({ name: "mine", role: "owner", spaces: ["shop"] }), [201, undefined]);
  const { tokens } = (await (await api.fetch("GET", "/v1/tokens", { headers })).json()) as { tokens: { name: string }[] };
  assert.deepEqual(
    tokens.map(({ name }) => name),
    ["mine", "owner-shop"],
  );
  await api.as("viewer", [canary]);
  assert.deepEqual(await statusOf("DELETE", `/v1/tokens/viewer-${canary}`, headers), [404, "TOKEN_NOT_FOUND"]);
  assert.deepEqual(await statusOf("DELETE", "/v1/tokens/mine", headers), [200, undefined]);
});

test("what lists things of many spaces tells a token of one nothing of another", async () => {
  const headers = await api.as("viewer", ["shop"]);
  const whole = await api.as("viewer");
  for (const path of ["status", "spaces", "apps", "instances", "routes", "events", "usage"]
    .map((list) => `/v1/${list}`)
    .concat("/metrics")) {
    const text = await (await api.fetch("GET", path, { headers })).text();
    assert.ok(!text.includes(canary), `${path}: ${text}`);
    if (path !== "/metrics") assert.ok((await (await api.fetch("GET", path, { headers: whole })).text()).includes(canary), path);
  }
  assert.match(await (await api.fetch("GET", "/v1/status", { headers })).text(), /"message":"of shop"/);
  assert.deepEqual(await statusOf("GET", `/v1/routes/${canary}.example`, headers), [404, "ROUTE_NOT_FOUND"]);
  const all = await readEvents(await api.fetch("GET", "/v1/apps/watch", { headers }), 1);
  assert.ok(JSON.stringify(all).includes("shop-app") && !JSON.stringify(all).includes(canary));
  // What comes first in the log would have been told first.
  const [first] = await readEvents(await api.fetch("GET", "/v1/events/watch?after=0", { headers }), 1);
  assert.match(JSON.stringify(first?.data), /"space":"shop"/);
});

test("a quiet stream ends when its token is revoked, and says why", async () => {
  const { token } = await api.call<Made>("POST", "/v1/tokens", { name: "watcher", role: "viewer", spaces: ["shop"] });
  const streams = ["/v1/spaces/shop/watch", "/v1/events/watch", "/v1/apps/watch"];
  const open = await Promise.all(streams.map((path) => api.fetch("GET", path, { headers: bearer(token) })));
  assert.deepEqual(
    open.map(({ status }) => status),
    [200, 200, 200],
  );
  await api.call("DELETE", "/v1/tokens/watcher");
  // Resolves only because the server ends them.
  for (const stream of open) assert.match(await stream.text(), /event: error\ndata: \{"code":"UNAUTHENTICATED"/);
});

test("who may deploy apps may not change what is held back for a person, nor what reaches beyond apps", async () => {
  const deployer = await api.as("deployer", ["shop"]);
  const operator = await api.as("operator", ["shop"]);
  const apply = (headers: Record<string, string>, ...texts: readonly string[]) =>
    statusOf("POST", "/v1/apply", headers, { space: "shop", documents: texts.map((text, i) => ({ file: `${i}.yaml`, text })) });
  const app = "app: other\nrun: sleep 1\n";
  const ladder =
    "ladder: night\nlevels: [{ name: app, do: app.restart }]\nchecks:\n  up: { http: http://shop.example/, level: app, app: other }\n";
  assert.deepEqual(await apply(deployer, app, ladder), [403, "NOT_ALLOWED"]);
  assert.equal(objects.app(api.services.store, "shop" as never, "other" as never), null, "all or nothing");
  assert.deepEqual(await apply(deployer, app), [200, undefined]);
  assert.deepEqual(await apply(operator, app, ladder), [200, undefined]);
  assert.deepEqual(await apply(deployer, app, ladder), [200, undefined], "nothing of the ladder changes");
  const pool = "pool: web\nmachines: 1\nprovider: { command: make-machines }\n";
  assert.deepEqual(await apply(operator, app, ladder, pool), [403, "NOT_ALLOWED"], "what it makes may join, for all spaces");
  const pruned = { space: "shop", prune: true, documents: [{ file: "a.yaml", text: app }] };
  assert.deepEqual(await statusOf("POST", "/v1/apply", deployer, pruned), [403, "NOT_ALLOWED"]);
});

test("a space that is deleted takes its tokens with it: another of its name is none of theirs", async () => {
  for (const space of ["old", "kept"]) await api.call("PUT", `/v1/spaces/${space}`, {});
  const [alone, both] = [await api.as("deployer", ["old"]), await api.as("deployer", ["old", "kept"])];
  await api.call("DELETE", "/v1/spaces/old");
  await api.call("PUT", "/v1/spaces/old", {});
  assert.deepEqual(await statusOf("GET", "/v1/spaces/old", alone), [401, "UNAUTHENTICATED"]);
  assert.deepEqual(await statusOf("GET", "/v1/spaces/old", both), [403, "NOT_ALLOWED"]);
  assert.deepEqual(await statusOf("GET", "/v1/spaces/kept", both), [200, undefined]);
});
