import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { AppStatus } from "#model/api.ts";
import { withServer } from "./testing/fake-server.ts";
import { appStatus, appSummary, instanceView, nowMs, plannedChange } from "./testing/views.ts";

const api = "/v1/spaces/shop/apps/api";
const changed = { json: { space: "shop", app: "api", release: null, revision: 9 } } as const;

test("scale asks for the counts, waits until they run, and tells of the way there line by line", async () => {
  const processes = (ready: number): AppStatus["processes"] => [
    { name: "web", run: "x", wanted: 2, running: 2, ready, bounds: null, protocol: "http", servicePort: null },
  ];
  const looks = [
    appStatus({ health: "degraded", processes: processes(1), reasons: [{ code: "STARTING", message: "1 instance starts" }] }),
    appStatus({ processes: processes(2) }),
  ];
  await withServer(
    { [`POST ${api}/scale`]: changed, [`GET ${api}`]: () => ({ json: looks.length > 1 ? looks.shift() : looks[0] }) },
    async (fake) => {
      const { code, stdout, stderr } = await fake.run(["scale", "shop/api", "web=2"]);
      assert.equal(code, 0, stderr);
      assert.deepEqual(fake.requests[0]?.body, { instances: { web: 2 } });
      assert.match(stdout, /^scaled shop\/api in \d\.\d\d s: web 2\/2 ready\n$/);
      assert.match(stderr, /web {2}1 of 2 ready, 2 running/);
    },
  );
});

test("--detach answers at once, and says that it goes on", async () => {
  await withServer({ [`POST ${api}/stop`]: changed }, async (fake) => {
    const { code, stdout } = await fake.run(["stop", "shop/api", "--detach"]);
    assert.deepEqual([code, stdout], [0, "stopped shop/api; it goes on by itself\n"]);
    assert.equal(fake.requests.length, 1);
  });
});

test("waiting ends with exit code 5 after --timeout, and with what it waited for", async () => {
  const status = appStatus({
    health: "deploying",
    rollout: { release: 4, startedAtMs: nowMs, weight: 0, waitingFor: [] },
    reasons: [{ code: "X", message: "nothing listens" }],
  });
  await withServer({ [`POST ${api}/start`]: changed, [`GET ${api}`]: { json: status } }, async (fake) => {
    const { code, stderr } = await fake.run(["start", "shop/api", "--timeout", "100ms"]);
    assert.equal(code, 5);
    assert.match(stderr, /error: "shop\/api" did not become ready \(shop\/api: nothing listens\) within 0\.10 s {3}\[TIMED_OUT\]/);
    assert.match(stderr, /drover why shop\/api/);
  });
});

test("a release that fails ends with exit code 4, its reason, and its last lines", async () => {
  const failure = { code: "RELEASE_FAILED" as const, reason: "exited with code 7", lines: ["this is the reason"], atMs: nowMs };
  const status = appStatus({ target: 3, active: 3, lastFailure: { release: 4, failure } });
  const answer = { json: { space: "shop", app: "api", release: 4, revision: 9 } };
  await withServer({ [`PATCH ${api}/env`]: answer, [`GET ${api}`]: { json: status } }, async (fake) => {
    const { code, stderr } = await fake.run(["env", "set", "shop/api", "A=1=2", "B="]);
    assert.equal(code, 4);
    assert.deepEqual(fake.requests[0]?.body, { set: { A: "1=2", B: "" } });
    assert.equal(
      stderr,
      `error: release 4 of "shop/api" failed: exited with code 7   [RELEASE_FAILED]
  | this is the reason
hint:  Release 3 serves on. See "drover why shop/api" and "drover logs shop/api".
`,
    );
  });
});

test("a release that a newer one overtakes ends with exit code 8", async () => {
  const answer = { json: { space: "shop", app: "api", release: 4, revision: 9 } };
  await withServer({ [`POST ${api}/rollback`]: answer, [`GET ${api}`]: { json: appStatus({ target: 5 }) } }, async (fake) => {
    const { code, stderr } = await fake.run(["rollback", "shop/api", "2"]);
    assert.equal(code, 8, stderr);
    assert.deepEqual(fake.requests[0]?.body, { to: 2 });
  });
});

test("a change whose connection breaks is sent again under the same idempotency key", async () => {
  let calls = 0;
  await withServer({ [`POST ${api}/stop`]: () => (++calls === 1 ? null : changed) }, async (fake) => {
    const { code, stderr } = await fake.run(["stop", "shop/api", "--detach"]);
    assert.equal(code, 0, stderr);
    const keys = fake.requests.map(({ headers }) => headers["idempotency-key"]);
    assert.equal(keys.length, 2);
    assert.equal(keys[0], keys[1]);
    assert.match(String(keys[0]), /^[0-9a-f-]{36}$/);
  });
});

test("restart is over when no instance runs as it did before", async () => {
  const old = instanceView();
  const looks = [appStatus({ instances: [old] }), appStatus({ instances: [{ ...old, pid: 4_712 }] })];
  await withServer(
    {
      [`GET ${api}/instances`]: { json: { instances: [old] } },
      [`POST ${api}/restart`]: changed,
      [`GET ${api}`]: () => ({ json: looks.length > 1 ? looks.shift() : looks[0] }),
    },
    async (fake) => {
      const { code, stdout } = await fake.run(["restart", "shop/api"]);
      assert.equal(code, 0);
      assert.match(stdout, /^restarted shop\/api/);
      assert.equal(fake.requests.filter(({ method, path }) => method === "GET" && path === api).length, 2);
    },
  );
});

test("destroy waits until the app is gone", async () => {
  const lists = [[appSummary({ health: "destroying" })], []];
  await withServer(
    {
      [`GET ${api}`]: { json: appStatus() },
      [`DELETE ${api}`]: changed,
      "GET /v1/apps": () => ({ json: { apps: lists.length > 1 ? lists.shift() : [] } }),
    },
    async (fake) => {
      const { code, stdout } = await fake.run(["destroy", "shop/api", "--yes"]);
      assert.deepEqual([code, stdout], [0, "destroyed shop/api\n"]);
    },
  );
});

test("apply sends manifests as text, shows what changes, waits for all and prints addresses", async () => {
  const changes = [
    plannedChange({ kind: "space", name: "shop", action: "create" }),
    plannedChange({ name: "api" }),
    plannedChange({
      name: "front",
      action: "release",
      changes: [{ path: "env.LEVEL", from: "info", to: "debug" }],
      warnings: ["no route"],
    }),
    plannedChange({ name: "store", action: "none" }),
  ];
  const applied = { plan: { space: "shop", changes, revision: 4 }, releases: [{ space: "shop", app: "api", release: 3 }], revision: 5 };
  const apps = ["api", "front", "store"].map((name) =>
    appSummary({ name, urls: name === "store" ? [] : [`http://${name}.shop.localhost:8080`] }),
  );
  await withServer({ "POST /v1/apply": { json: applied }, "GET /v1/apps": { json: { apps } } }, async (fake) => {
    await mkdir(join(fake.home, "space"));
    for (const name of ["b.yaml", "a.yml", "c.txt"]) await writeFile(join(fake.home, "space", name), `app: ${name[0]}\nrun: x\n`);
    await writeFile(join(fake.home, "vars.env"), 'HOST="shop.example"\n# no\nN=1\n');
    const { code, stdout, stderr } = await fake.run(["apply", "space", "--env-file", "vars.env"]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(fake.requests[0]?.body, {
      documents: [
        { file: "space/a.yml", text: "app: a\nrun: x\n" },
        { file: "space/b.yaml", text: "app: b\nrun: x\n" },
      ],
      variables: { HOST: "shop.example", N: "1" },
      artifacts: {},
      prune: false,
      force: false,
      cause: "apply",
    });
    assert.equal(
      stdout,
      `+ space shop  create
+ shop/api  create
~ shop/front  new release
    env.LEVEL: info → debug
    warning: no route
= shop/store  unchanged
shop/api  http://api.shop.localhost:8080
shop/front  http://front.shop.localhost:8080
`,
    );
    const json = await fake.run(["apply", "space", "--json"]);
    assert.deepEqual(JSON.parse(json.stdout), { ...applied, apps });
    assert.equal(json.stderr, "");
  });
});

test("plan --exit-code ends with 3 when something would change, and with 0 when nothing would", async () => {
  const answer = (action: "create" | "none") => ({ json: { space: "shop", changes: [plannedChange({ action })], revision: 4 } });
  await withServer({ "POST /v1/plan": answer("create") }, async (fake) => {
    const input = "app: api\nrun: x\n";
    assert.equal((await fake.run(["plan", "-", "--exit-code"], { input })).code, 3);
    assert.equal((await fake.run(["plan", "-"], { input })).code, 0);
  });
  await withServer({ "POST /v1/plan": answer("none") }, async (fake) => {
    const { code, stdout } = await fake.run(["plan", "-", "--exit-code"], { input: "app: api\nrun: x\n" });
    assert.deepEqual([code, stdout], [0, "= shop/api  unchanged\n"]);
  });
});

test("a plan is told in the words of a manifest", async () => {
  const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
  const probe = { target: { kind: "http", path: "/up" }, everyMs: 30_000, timeoutMs: 2_000, failures: 3 };
  const changes = [
    { path: "deploy.deadline", from: 300_000, to: 90_000 },
    { path: "deploy.steps", from: [0.1], to: [0.05, 0.5] },
    { path: "deploy.surge.share", from: 0.25, to: null },
    { path: "release.artifact", from: digest("a"), to: digest("b") },
    { path: "release.env.timeoutMs", from: null, to: "" },
    { path: "release.processes.web.ready", from: null, to: probe },
    { path: "release.processes.web.resources.memoryBytes", from: null, to: 2 ** 28 },
    { path: "release.secrets.KEY", from: 1, to: 2 },
    { path: "release.volumes", from: [], to: ["uploads", "cache"] },
    { path: "routes", from: [], to: [{ host: "a.localhost", path: "/", to: "web" }] },
  ];
  await withServer(
    { "POST /v1/plan": { json: { space: "shop", changes: [plannedChange({ action: "release", changes })], revision: 4 } } },
    async (fake) => {
      const { stdout } = await fake.run(["plan", "-"], { input: "app: api\n" });
      assert.equal(
        stdout,
        `~ shop/api  new release
    deploy.deadline: 5m → 90s
    deploy.steps: 10% → 5%, 50%
    deploy.surge: 25% → nothing
    artifact: aaaaaaaaaaaa → bbbbbbbbbbbb
    env.timeoutMs: nothing → ""
    processes.web.ready: nothing → http /up, every 30s, timeout 2s, failures 3
    processes.web.resources.memory: nothing → 256MiB
    secrets.KEY: version 1 → version 2
    volumes: none → uploads, cache
    routes: none → a.localhost/ to web
`,
      );
    },
  );
});

test("a change of nothing is said to be none, and waits for no release", async () => {
  const routes = {
    "PATCH /v1/spaces/shop/apps/api/env": { json: { space: "shop", app: "api", release: 3, changed: false, revision: 7 } },
    "GET /v1/spaces/shop/apps/api": { json: appStatus() },
  };
  await withServer(routes, async (fake) => {
    const { code, stdout } = await fake.run(["env", "unset", "shop/api", "NOPE"]);
    assert.deepEqual([code, stdout], [0, 'nothing changed: shop/api has no "NOPE": web 1/1 ready\n']);
  });
});

test("apply --prune names what it would destroy and asks", async () => {
  const plan = { space: "shop", changes: [plannedChange({ name: "old", action: "destroy" })], revision: 4 };
  await withServer({ "POST /v1/plan": { json: plan } }, async (fake) => {
    const { code, stderr } = await fake.run(["apply", "-", "--prune"], { input: "app: api\nrun: x\n" });
    assert.equal(code, 2);
    assert.match(stderr, /this destroys shop\/old.*\[CONFIRMATION_NEEDED\]/);
    assert.equal(
      fake.requests.some(({ path }) => path === "/v1/apply"),
      false,
    );
  });
});

test("stop is no failure after a release that failed earlier", async () => {
  const failure = { code: "RELEASE_FAILED" as const, reason: "exited with code 7", lines: [], atMs: nowMs };
  const status = appStatus({ health: "stopped", stopped: true, active: null, instances: [], lastFailure: { release: 3, failure } });
  await withServer({ [`POST ${api}/stop`]: changed, [`GET ${api}`]: { json: status } }, async (fake) => {
    const { code, stdout } = await fake.run(["stop", "shop/api"]);
    assert.equal(code, 0);
    assert.match(stdout, /^stopped shop\/api/);
  });
});
