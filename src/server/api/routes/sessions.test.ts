import assert from "node:assert/strict";
import { test } from "node:test";
import { type ApiFixture, startApi } from "../testing/api-fixture.ts";

/** Logs a browser in; answers with what it would send. */
async function logIn(api: ApiFixture): Promise<Record<string, string>> {
  const { ticket } = await api.call<{ ticket: string }>("POST", "/v1/ui-tickets", {});
  const response = await fetch(`${api.url}/v1/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: api.url, "sec-fetch-site": "same-origin" },
    body: JSON.stringify({ ticket }),
  });
  assert.equal(response.status, 200);
  const { pageKey } = (await response.json()) as { pageKey: string };
  return { cookie: response.headers.get("set-cookie")?.split(";")[0] ?? "", "x-drover-page": pageKey };
}

const statusOf = async (api: ApiFixture, path: string, headers: Record<string, string>, method = "GET") =>
  (await fetch(api.url + path, { method, headers })).status;

test("a browser gets in by a ticket that only the token is given, and out by itself", async () => {
  await using api = await startApi();
  assert.equal(await statusOf(api, "/v1/ui-tickets", { "content-type": "application/json" }, "POST"), 401);
  const browser = await logIn(api);
  assert.equal(await statusOf(api, "/v1/status", browser), 200);
  const { sessions } = (await (await fetch(`${api.url}/v1/sessions`, { headers: browser })).json()) as {
    sessions: readonly { readonly isCurrent: boolean }[];
  };
  assert.deepEqual(
    sessions.map(({ isCurrent }) => isCurrent),
    [true],
  );
  const out = await fetch(`${api.url}/v1/sessions/current`, { method: "DELETE", headers: browser });
  assert.equal(out.status, 200);
  assert.match(out.headers.get("set-cookie") ?? "", /^drover-[0-9a-z-]+=; Max-Age=0; /);
  assert.equal(await statusOf(api, "/v1/status", browser), 401);
  const kinds = api.services.events.query({ limit: 10 }).map(({ kind }) => kind);
  assert.deepEqual(kinds, ["session.opened", "session.ended"]);
});

test("the cookie alone, which browsers send to every port of a host, opens nothing", async () => {
  await using api = await startApi();
  const { cookie = "", "x-drover-page": pageKey = "" } = await logIn(api);
  assert.equal(await statusOf(api, "/v1/status", { cookie }), 401);
  assert.equal(await statusOf(api, "/v1/status", { "x-drover-page": pageKey }), 401);
});

test("a page of another site, or of another port of this host, changes nothing in somebody's session", async () => {
  await using api = await startApi();
  const browser = await logIn(api);
  for (const headers of [
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { origin: "http://127.0.0.1:1" },
    { origin: "null" },
  ])
    assert.equal(await statusOf(api, "/v1/sessions/current", { ...browser, ...headers }, "DELETE"), 403, JSON.stringify(headers));
  assert.equal(await statusOf(api, "/v1/status", browser), 200);
});

test("streams of a session end with it", async () => {
  await using api = await startApi();
  const browser = await logIn(api);
  const stream = await fetch(`${api.url}/v1/events/watch`, { headers: browser });
  assert.equal(stream.status, 200);
  const { sessions } = await api.call<{ sessions: readonly { readonly id: string }[] }>("GET", "/v1/sessions");
  assert.equal((await api.fetch("DELETE", `/v1/sessions/${sessions[0]?.id}`)).status, 200);
  // Resolves only because the server ends it.
  await stream.text();
  assert.equal((await api.fetch("DELETE", `/v1/sessions/${sessions[0]?.id}`)).status, 404);
});

test("a watch of all apps begins with every app and goes on with those that change or go", async () => {
  let wake: (ids: ReadonlySet<string>) => void = () => {};
  await using api = await startApi({
    controlPlane: {
      changes: async function* (signal) {
        while (!signal.aborted) yield (await new Promise<ReadonlySet<string>>((resolve) => (wake = resolve))) as ReadonlySet<never>;
      },
    },
  });
  await api.call("PUT", "/v1/spaces/default/apps/one", { run: "sleep 1" });
  const ending = new AbortController();
  const response = await api.fetch("GET", "/v1/apps/watch", { signal: ending.signal });
  assert.ok(response.body);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const until = async (pattern: RegExp) => {
    while (!pattern.test(text)) text += (await reader.read()).value ?? assert.fail(`the stream ended: ${text}`);
  };
  await until(/event: all\ndata: \{"apps":\[\{"name":"one".*\n\n/);
  wake(new Set(["default/one", "default/gone"]));
  await until(/event: changed\ndata: \{"apps":\[\{"name":"one".*"gone":\[\{"space":"default","app":"gone"\}\]\}\n\n/);
  ending.abort();
});
