import assert from "node:assert/strict";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type { AppStatus } from "#model/api.ts";
import { withServer } from "./testing/fake-server.ts";
import { appStatus, appSummary, instanceView, nowMs } from "./testing/views.ts";

const api = "/v1/spaces/shop/apps/api";

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
  const said = { version: evil, commit: null, more: {} };
  const { id, process, release, machine, state, ready } = instanceView();
  const instances = [{ id, process, release, machine, state, ready, said, why: null }];
  const versions = { space: "shop", app: "api", wanted: null, active: 3, routes: [], instances, differences: [] };
  await withServer(
    {
      "GET /v1/instances": { json: { instances: [instanceView({ reason })] } },
      [`GET ${api}/logs`]: { lines: [line] },
      "GET /v1/events": { json: { events: [event] } },
      "GET /v1/versions": { json: { apps: [versions], programs: [], silent: [] } },
      "GET /v1/apps": { error: { code: "INTERNAL", message: evil, hint: evil, details: null } },
    },
    async (fake) => {
      for (const args of [
        ["ps"],
        ["versions"],
        ["versions", "shop/api"],
        ["logs", "shop/api"],
        ["events"],
        ["apps"],
        ["ps", "--json"],
        ["logs", "shop/api", "--json"],
      ]) {
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

test("a token is printed alone, so that it can be piped, and says to a person what it is", async () => {
  const made = { name: "ci", role: "deployer", spaces: ["shop", "blog"], expiresAtMs: 0, token: "drv_api_x" };
  await withServer({ "POST /v1/tokens": { json: made } }, async (fake) => {
    const create = ["token", "create", "ci", "--role", "deployer"];
    const { code, stdout, stderr } = await fake.run([...create, "--space", "shop", "-s", "blog", "--expires", "30d"]);
    assert.deepEqual([code, stdout], [0, "drv_api_x\n"]);
    assert.match(stderr, /^ci is deployer of shop and blog until /);
    await fake.run(create, { env: { DROVER_SPACE: "shop" } });
    const file = join(fake.home, "token-of-ci");
    const written = await fake.run(["-s", "shop", ...create, "--out", file]);
    assert.equal(written.stdout, "");
    assert.deepEqual([await readFile(file, "utf8"), (await stat(file)).mode & 0o777], ["drv_api_x\n", 0o600]);
    assert.deepEqual(
      fake.requests.map(({ body }) => body),
      [
        { name: "ci", role: "deployer", spaces: ["shop", "blog"], expiresInMs: 30 * 86_400_000 },
        { name: "ci", role: "deployer" },
        { name: "ci", role: "deployer", spaces: ["shop"] },
      ],
    );
  });
});

test("completion offers commands, verbs, flags and live names, and is silent when it cannot", async () => {
  const apps = [appSummary(), appSummary({ space: "default", name: "blog" })];
  const answers = {
    "GET /v1/apps": { json: { apps } },
    "GET /v1/spaces": { json: { spaces: [{ name: "shop" }] } },
    "GET /v1/tokens": { json: { tokens: [{ name: "ci" }] } },
  };
  await withServer(answers, async (fake) => {
    const complete = async (...words: string[]) => {
      const { code, stdout, stderr } = await fake.run(["__complete", "--", ...words]);
      assert.deepEqual([code, stderr], [0, ""]);
      return stdout.split("\n").filter((word) => word !== "");
    };
    assert.deepEqual(await complete("st"), ["stop", "start", "status"]);
    assert.deepEqual(await complete("secret", ""), ["ls", "set", "rm"]);
    assert.deepEqual(await complete("logs", "--fo"), ["--follow"]);
    assert.deepEqual(await complete("logs", ""), ["shop/api", "blog"]);
    assert.deepEqual(await complete("logs", "--space", "shop", ""), ["api"]);
    assert.deepEqual(await complete("ps", "--space", ""), ["shop"]);
    assert.deepEqual(await complete("releases", "x", "y", "z"), []);
    assert.deepEqual(await complete("rollback", "shop/gone", ""), []);
    assert.deepEqual(await complete("token", "create", "ci", "--role", "o"), ["operator", "owner"]);
    assert.deepEqual(await complete("token", "revoke", ""), ["ci"]);
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

test("edge alone, or with a slip of its command, shows how it is called and starts none", async () => {
  await withServer({}, async (fake) => {
    const alone = await fake.run(["edge"]);
    assert.deepEqual([alone.code, /^Usage: drover edge <command>/.test(alone.stderr)], [2, true], alone.stderr);
    const slip = await fake.run(["edge", "restrat"]);
    assert.deepEqual([slip.code, /Did you mean "restart"\?/.test(slip.stderr)], [2, true], slip.stderr);
  });
});

test("a stop waits while the server does not know what runs of the app", async () => {
  const seen = (changes: Partial<AppStatus>) => appStatus({ health: "stopped", stopped: true, instances: [], ...changes });
  const looks = [seen({ known: false }), seen({ instances: [instanceView()] }), seen({})];
  let asked = 0;
  const routes = {
    [`POST ${api}/stop`]: { json: { space: "shop", app: "api", release: 3, changed: true } },
    [`GET ${api}`]: () => ({ json: looks[asked++] }),
  };
  await withServer(routes, async (fake) => {
    const { code, stdout, stderr } = await fake.run(["stop", "shop/api"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^stopped shop\/api/);
    assert.equal(asked, looks.length);
  });
});

test("a drain waits while the server does not know what the machine runs, and for what it was told to start", async () => {
  const machine = { id: "m1", joined: false, bound: 0, staying: [] };
  const looks = [
    [{ ...machine, instances: 2, pending: 0, known: true }],
    // It was restarted: first it knows nothing, then who is there, then what they run.
    [],
    [{ ...machine, instances: 0, pending: 0, known: false }],
    [{ ...machine, instances: 0, pending: 1, known: true }],
    [{ ...machine, instances: 0, pending: 0, known: true }],
  ];
  let asked = 0;
  const routes = {
    "PATCH /v1/machines/m1": { json: { machine: "m1", bound: [] } },
    "GET /v1/machines": () => ({ json: { machines: looks[asked++] ?? [], join: null } }),
  };
  await withServer(routes, async (fake) => {
    const { code, stdout, stderr } = await fake.run(["machine", "drain", "m1"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^m1 is drained/);
    assert.equal(asked, looks.length);
  });
});
