import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeServer } from "../testing/fake-server.ts";
import { appSummary } from "../testing/views.ts";

const routes = {
  "GET /v1/status": { json: { machines: [{ id: "m1", linked: true, instances: 1 }], problems: [] } },
  "GET /v1/usage": { json: { machines: [], instances: [], silent: [{ machine: "m1", why: "its agent is too old to measure" }] } },
  "GET /v1/apps": { json: { apps: [appSummary()] } },
  "GET /v1/routes": { json: { routes: [] } },
};

test("top without a terminal looks twice, prints what there is and ends", async () => {
  await using fake = await FakeServer.start(routes);
  const { code, stdout, stderr } = await fake.run(["top"]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^m1 +- .*its agent is too old to measure$/m);
  assert.match(stdout, /^shop\/api +ready +1\/1 /m);
  assert.doesNotMatch(stdout, /\x1b/);
  assert.equal(fake.requests.filter(({ path }) => path === "/v1/usage").length, 2);
});

test("top refuses an order that there is not, and to look without pause, before it asks anybody", async () => {
  await using fake = await FakeServer.start({});
  assert.match((await fake.run(["top", "--sort", "x"])).stderr, /there is no order "x".*\n.*c, m, r, e and n/);
  assert.match((await fake.run(["top", "--every", "1ms"])).stderr, /--every 1ms is too often/);
  assert.deepEqual(fake.requests, []);
});
