import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi } from "../api/testing/api-fixture.ts";

test("a search is saved for an app that there is, and of another name the one that was meant is told", async () => {
  await using api = await startApi();
  const documents = [{ file: "", text: "space: shop\n---\napp: web\nrun: sleep 1" }];
  await api.call("POST", "/v1/apply", { documents });
  const save = (app: string) => api.fetch("PUT", "/v1/spaces/shop/searches/failed", { json: { query: "failed", app } });
  const refused = await save("wbe");
  assert.equal(refused.status, 404);
  const error = (await refused.json()) as { code: string; hint: string };
  assert.equal(error.code, "APP_NOT_FOUND");
  assert.match(error.hint, /Did you mean "web"/);
  assert.equal((await save("web")).status, 200);
});

test("a search of logs that nothing could answer is refused", async () => {
  await using api = await startApi();
  for (const query of ["own=true&of=app", "sinceMs=2000&untilMs=1000"])
    assert.equal((await api.fetch("GET", `/v1/logs/events?${query}`)).status, 400, query);
});
