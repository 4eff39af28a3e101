import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type { AppStatus } from "#model/api.ts";
import { type FakeRoutes, FakeServer } from "./testing/fake-server.ts";
import { appStatus, appSummary, instanceView, nowMs, plannedChange } from "./testing/views.ts";

const api = "/v1/spaces/shop/apps/api";
const changed = { json: { space: "shop", app: "api", release: null, revision: 9 } } as const;

async function withServer(routes: FakeRoutes, body: (fake: FakeServer) => Promise<void>): Promise<void> {
  await using fake = await FakeServer.start(routes);
  await body(fake);
}

test("ps lists the instances of all spaces, why one is not ready, and no colour without a terminal", async () => {
  const instances = [
    instanceView({ startedAtMs: Date.now() - 90_000 }),
    instanceView({
      id: "shop/api/web.3.m2n4p",
      state: "backoff",
      ready: false,
      pid: null,
      restarts: 4,
      startedAtMs: Date.now() - 7_300_000,
      reason: { code: "EXITED", message: "exited with code 7" },
    }),
  ];
  await withServer({ "GET /v1/instances": { json: { instances } } }, async (fake) => {
    const { code, stdout, stderr } = await fake.run(["ps"]);
    assert.equal(
      stdout,
      `APP       INSTANCE     STATE    PORT   PID   RESTARTS  UP
shop/api  web.3.k3f9b  ready    20001  4711  0         1m
shop/api  web.3.m2n4p  backoff  20001  -     4         2h  exited with code 7
`,
    );
    assert.deepEqual([code, stderr], [0, ""]);
    assert.deepEqual(JSON.parse((await fake.run(["ps", "--json", "--space", "shop"])).stdout), { instances });
    assert.deepEqual(fake.requests.at(-1)?.query, { space: "shop" });
    assert.equal(fake.requests[0]?.headers.authorization, "Bearer drv_admin_test");
  });
});

test("apps shows health, releases under way and addresses", async () => {
  const apps = [
    appSummary(),
    appSummary({
      name: "front",
      health: "deploying",
      ready: 1,
      wanted: 2,
      urls: [],
      rollout: { release: 4, startedAtMs: nowMs, weight: 0.5, waitingFor: [] },
      reasons: [{ code: "DEPLOYING", message: "release 4 is on its way" }],
    }),
  ];
  await withServer({ "GET /v1/apps": { json: { apps } } }, async (fake) => {
    const { stdout } = await fake.run(["apps"]);
    assert.equal(
      stdout,
      `APP         HEALTH     READY  RELEASE  URL
shop/api    ready      1/1    3        http://api.shop.localhost:8080
shop/front  deploying  1/2    3 → 4    -                               release 4 is on its way
`,
    );
  });
});

test("text from outside cannot steer the terminal, in tables, logs, events and JSON alike", async () => {
  const evil = "\x1b]0;owned\x07\x1b[2J\r\u202eright\x9b31m\nsecond";
  const escaped = "\\x1b]0;owned\\x07\\x1b[2J\\r\\u{202e}right\\x9b31m\\nsecond";
  const reason = { code: "EXITED", message: evil };
  const line = { instance: "shop/api/web.3.k3f9b", atMs: nowMs, sequence: 1, text: evil, source: "app" };
  const event = { sequence: 1, atMs: nowMs, space: "shop", app: "api", subject: null, kind: "x", message: evil, details: null };
  await withServer(
    {
      "GET /v1/instances": { json: { instances: [instanceView({ reason })] } },
      [`GET ${api}/logs`]: { lines: [line] },
      "GET /v1/events": { json: { events: [event] } },
      "GET /v1/apps": { error: { code: "INTERNAL", message: evil, hint: evil, details: null } },
    },
    async (fake) => {
      for (const args of [["ps"], ["logs", "shop/api"], ["events"], ["apps"], ["ps", "--json"], ["logs", "shop/api", "--json"]]) {
        const { stdout, stderr } = await fake.run(args);
        assert.doesNotMatch(stdout + stderr, /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/, args.join(" "));
        if (!args.includes("--json")) assert.ok((stdout + stderr).includes(escaped), stdout + stderr);
      }
    },
  );
});

test("logs shows time, instance and text, asks for what was meant, and streams JSON a line each", async () => {
  const lines = [
    { instance: "shop/api/web.3.k3f9b", atMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6), sequence: 1, text: "hello", source: "app" },
    {
      instance: "shop/api/web.3.m2n4p",
      atMs: Date.UTC(2026, 0, 2, 3, 4, 5, 7),
      sequence: 9,
      text: "12 lines were dropped",
      source: "drover",
    },
  ];
  await withServer({ [`GET ${api}/logs`]: { lines } }, async (fake) => {
    const { stdout } = await fake.run([
      "logs",
      "api",
      "-s",
      "shop",
      "-n",
      "5",
      "--grep",
      "a b",
      "--process",
      "web",
      "--instance",
      "web.3.k3f9b",
    ]);
    assert.equal(stdout, "03:04:05.006 web.3.k3f9b hello\n03:04:05.007 web.3.m2n4p [drover] 12 lines were dropped\n");
    assert.deepEqual(fake.requests[0]?.query, { tail: "5", contains: "a b", process: "web", instance: "web.3.k3f9b" });
    const json = await fake.run(["logs", "shop/api", "--json"]);
    assert.deepEqual(
      json.stdout
        .trimEnd()
        .split("\n")
        .map((one) => JSON.parse(one)),
      lines,
    );
  });
});

test("a stream that the server breaks off ends with the server's error", async () => {
  const error = { code: "CLUSTER_UNREACHABLE", message: "the agent went away", hint: "Look at drover status.", details: null };
  await withServer({ [`GET ${api}/logs`]: { lines: [{ error }] } }, async (fake) => {
    const { code, stderr } = await fake.run(["logs", "shop/api", "-f"]);
    assert.equal(code, 1);
    assert.match(stderr, /the agent went away {3}\[CLUSTER_UNREACHABLE\]/);
  });
});

test("scale asks for the counts, waits until they run, and tells of the way there line by line", async () => {
  const processes = (ready: number): AppStatus["processes"] => [
    { name: "web", run: "x", wanted: 2, running: 2, ready, protocol: "http", servicePort: null },
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

test("why tells a failure once, with the lines that say something", async () => {
  const failure = { code: "RELEASE_FAILED" as const, reason: "web.3.k3f9b exited with 1", lines: ["", "no such file"], atMs: 0 };
  const reasons = [{ code: "RELEASE_FAILED", message: "release 3 failed: web.3.k3f9b exited with 1" }];
  const status = appStatus({ health: "down", reasons, lastFailure: { release: 3, failure } });
  await withServer(
    { "GET /v1/spaces/shop/apps/api": { json: status }, "GET /v1/spaces/shop/apps/api/why": { json: { reasons } } },
    async (fake) => {
      const { stdout } = await fake.run(["why", "shop/api"]);
      assert.deepEqual(stdout.match(/exited with 1/g)?.length, 1);
      assert.match(stdout, /\[RELEASE_FAILED\]\n {4}\| no such file\n$/);
    },
  );
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

test("a secret's value comes from standard input and is in no argument, query or output", async () => {
  const answer = { json: { space: "shop", name: "KEY", version: 2, releases: [], revision: 3 } };
  await withServer({ "PUT /v1/spaces/shop/secrets/KEY": answer }, async (fake) => {
    const { code, stdout, stderr } = await fake.run(["secret", "set", "KEY", "--space", "shop"], { input: "s3cret\n" });
    assert.deepEqual([code, stdout, stderr], [0, "set shop/KEY\n", ""]);
    assert.deepEqual(fake.requests[0]?.body, { value: "s3cret" });
  });
});

test("keys and values of the key-value store go through as they are", async () => {
  const value = Buffer.from([0, 255, 10, 27]);
  await withServer(
    {
      "GET /v1/spaces/default/kv/a/b%20c": { bytes: value },
      "PUT /v1/spaces/default/kv/a": { json: { key: "a", revision: 2 } },
      "GET /v1/spaces/default/kv": ({ query }) => ({
        json:
          query["after"] === "b"
            ? { keys: [{ key: "c" }], revision: 3, more: false }
            : { keys: [{ key: "a" }, { key: "b" }], revision: 3, more: true },
      }),
    },
    async (fake) => {
      const got = await fake.run(["kv", "get", "a/b c", "--json"]);
      assert.equal(JSON.parse(got.stdout).base64, value.toString("base64"));
      assert.equal((await fake.run(["kv", "put", "a"], { input: value })).code, 0);
      assert.deepEqual(fake.requests.at(-1)?.bytes, value);
      assert.equal((await fake.run(["kv", "ls"])).stdout, "a\nb\nc\n");
    },
  );
});

test("init writes a manifest from what the folder holds, and never over one", async () => {
  await withServer({}, async (fake) => {
    const folder = join(fake.home, "My Shop");
    await mkdir(folder);
    await writeFile(join(folder, "package.json"), "{}");
    const { code, stdout } = await fake.run(["init", folder]);
    assert.equal(code, 0);
    assert.match(stdout, /a Node app/);
    assert.match(await readFile(join(folder, "drover.yaml"), "utf8"), /^app: my-shop\nsource: \./m);
    const again = await fake.run(["init", folder]);
    assert.equal(again.code, 8);
    assert.match(again.stderr, /exists already/);
  });
});

test("init says nothing to run where the builder finds it by a file's usual name", async () => {
  await withServer({}, async (fake) => {
    for (const [file, what] of [
      ["server.js", /a Node app/],
      ["app.py", /a Python app/],
      ["dist/index.html", /a static site in dist\//],
      ["public/index.html", /a static site in public\//],
      ["index.html", /a static site/],
    ] as const) {
      const folder = join(fake.home, file.replace(/[./]/g, "-"));
      await mkdir(dirname(join(folder, file)), { recursive: true });
      await writeFile(join(folder, file), "");
      assert.match((await fake.run(["init", folder])).stdout, what);
      assert.doesNotMatch(await readFile(join(folder, "drover.yaml"), "utf8"), /^run:/m);
    }
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

test("completion offers commands, verbs, flags and live names, and is silent when it cannot", async () => {
  const apps = [appSummary(), appSummary({ space: "default", name: "blog" })];
  await withServer({ "GET /v1/apps": { json: { apps } }, "GET /v1/spaces": { json: { spaces: [{ name: "shop" }] } } }, async (fake) => {
    const complete = async (...words: string[]) => {
      const { code, stdout, stderr } = await fake.run(["__complete", "--", ...words]);
      assert.deepEqual([code, stderr], [0, ""]);
      return stdout.split("\n").filter((word) => word !== "");
    };
    assert.deepEqual(await complete("st"), ["stop", "start", "status"]);
    assert.deepEqual(await complete("secret", ""), ["ls", "set", "rm"]);
    assert.deepEqual(await complete("logs", "--f"), ["--follow"]);
    assert.deepEqual(await complete("logs", ""), ["shop/api", "blog"]);
    assert.deepEqual(await complete("logs", "--space", "shop", ""), ["api"]);
    assert.deepEqual(await complete("ps", "--space", ""), ["shop"]);
    assert.deepEqual(await complete("releases", "x", "y", "z"), []);
    assert.deepEqual(await complete("rollback", "shop/gone", ""), []);
    assert.deepEqual(await complete("nothing", ""), []);
  });
});

test("the completion scripts are accepted by their shells", async (t) => {
  const { spawnSync } = await import("node:child_process");
  await withServer({}, async (fake) => {
    for (const shell of ["bash", "zsh", "fish"]) {
      const { stdout } = await fake.run(["completion", shell]);
      const { error, stderr } = spawnSync(shell, ["-n"], { input: stdout, encoding: "utf8" });
      if (error === undefined) assert.equal(stderr, "");
      else t.diagnostic(`${shell} is not here: its script was not checked`);
    }
  });
});
