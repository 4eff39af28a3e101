import assert from "node:assert/strict";
import { test } from "node:test";
import { checksManifest } from "#model/check-schemas.ts";
import { ladderManifest } from "#model/ladder-schemas.ts";
import type { AppName } from "#model/names.ts";
import { compileLadder } from "./compile.ts";

const manifest = ladderManifest.parse({
  ladder: "production",
  levels: [
    { name: "network", run: "terraform apply", approve: true },
    // biome-ignore lint/suspicious/noThenProperty: the word of the manifest; nothing awaits it.
    { name: "converge", do: "machine.converge", quiet: "2m", then: "wider" },
    // biome-ignore lint/suspicious/noThenProperty: the word of the manifest; nothing awaits it.
    { name: "app", do: "app.redeploy", attempts: 3, then: ["app.rollback", { run: "./last-resort.sh" }] },
  ],
  checks: {
    smoke: { http: "https://shop.example.com/", expect: { status: 200, body: "/cart/" }, level: "app" },
    plugin: {
      run: "check_load",
      output: "nagios",
      each: "machine",
      level: "converge",
      expected: { from: "22:00", until: "06:00", zone: "UTC" },
    },
  },
});
const shop = "shop" as AppName;

test("levels keep their order, and say what comes after their attempts", () => {
  const { levels } = compileLadder(manifest, []);
  assert.deepEqual(
    levels.map(({ name, scope, remedies }) => [
      name,
      scope,
      ...remedies.map((remedy) => (remedy.kind === "action" ? remedy.action.kind : remedy.kind)),
    ]),
    [
      ["network", "space", "people"],
      ["converge", "machine", "wider"],
      ["app", "app", "built-in", "command"],
    ],
  );
  assert.deepEqual(levels[0]?.approve, { withinMs: 3_600_000, otherwise: "people" });
});

test("a check that states no time limit has one of 10 s, or of its interval where that is shorter", () => {
  const timeoutOf = (more: object) => {
    const checks = { up: checksManifest.parse({ up: { tcp: 80, ...more } })["up"] };
    const [check] = compileLadder(null, [{ app: "shop" as AppName, checks: checks as never, escalate: null }]).checks;
    return check?.timeoutMs;
  };
  assert.deepEqual(
    [timeoutOf({ every: "1s" }), timeoutOf({ every: "30s" }), timeoutOf({ every: "30s", timeout: "20s" })],
    [1_000, 10_000, 20_000],
  );
  assert.equal(checksManifest.safeParse({ up: { tcp: 80, every: "1s", timeout: "2s" } }).success, false);
});

test("a check becomes what a runner needs", () => {
  const [smoke, plugin] = compileLadder(manifest, []).checks;
  assert.deepEqual(smoke?.test, {
    kind: "http",
    url: "https://shop.example.com/",
    method: "GET",
    headers: {},
    body: null,
    expect: { status: [200], body: "cart", headers: {}, json: {}, tlsLeftMs: null },
  });
  assert.deepEqual(plugin?.test, { kind: "command", run: "check_load", env: {}, output: "nagios" });
  assert.deepEqual([plugin?.each, plugin?.expected?.fromMinute, plugin?.expected?.untilMinute], ["machine", 1_320, 360]);
});

test("an app's short form is how its lightest level is tried, and its checks ask for that level", () => {
  const checks = checksManifest.parse({ order: { run: "./order.sh" } });
  for (const ladder of [manifest, null]) {
    const { levels, checks: compiled } = compileLadder(ladder, [{ app: shop, checks, escalate: ["restart", "rollback", "tell"] }]);
    assert.deepEqual(levels.at(-1)?.forApps["shop"], {
      action: { kind: "built-in", name: "app.restart" },
      attempts: 1,
      remedies: [{ kind: "action", action: { kind: "built-in", name: "app.rollback" } }, { kind: "people" }],
    });
    const { name, each, app, level } = compiled.at(-1) ?? {};
    assert.deepEqual({ name, each, app, level }, { name: "shop-order", each: "app", app: "shop", level: "app" });
  }
});

test("telling alone tries nothing", () => {
  const { levels } = compileLadder(null, [{ app: shop, checks: {}, escalate: ["tell"] }]);
  assert.deepEqual([levels[0]?.forApps["shop"]?.attempts, levels[0]?.forApps["shop"]?.remedies], [0, [{ kind: "people" }]]);
});

test("a ladder without a level of apps gets one as soon as an app needs it", () => {
  const network = { ...manifest, levels: manifest.levels.slice(0, 1) };
  assert.deepEqual(
    compileLadder(network, []).levels.map(({ name }) => name),
    ["network"],
  );
  assert.deepEqual(
    compileLadder(network, [{ app: shop, checks: {}, escalate: ["restart"] }]).levels.map(({ name }) => name),
    ["network", "app"],
  );
});
