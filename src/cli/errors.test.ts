import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { ErrorCode } from "#model/errors.ts";
import { commandTable } from "./command-table.ts";
import { FakeServer, runDrover } from "./testing/fake-server.ts";
import { appStatus } from "./testing/views.ts";

/** One call of every command that needs a server. */
const calls: Readonly<Record<string, readonly (readonly string[])[]>> = {
  push: [["push", "."]],
  plan: [["plan", "-"]],
  apply: [["apply", "-"]],
  releases: [["releases", "shop"]],
  rollback: [["rollback", "shop"]],
  apps: [["apps"]],
  ps: [["ps"]],
  logs: [["logs", "shop"]],
  why: [["why", "shop"]],
  events: [["events"]],
  feedback: [["feedback"]],
  timeline: [["timeline"]],
  health: [["health", "shop"]],
  versions: [["versions"]],
  open: [["open", "shop"]],
  scale: [["scale", "shop", "2"]],
  env: [
    ["env", "ls", "shop"],
    ["env", "set", "shop", "A=1"],
    ["env", "unset", "shop", "A"],
  ],
  secret: [
    ["secret", "ls"],
    ["secret", "set", "KEY"],
    ["secret", "rm", "KEY", "--yes"],
  ],
  certificate: [
    ["certificate", "ls"],
    ["certificate", "show", "own/shop.localhost"],
    ["certificate", "rm", "own/shop.localhost", "--yes"],
    ["certificate", "renew", "own/shop.localhost"],
    ["certificate", "ca"],
    ["certificate", "acme"],
  ],
  rebalance: [["rebalance"]],
  restart: [["restart", "shop"]],
  stop: [["stop", "shop"]],
  edge: [["edge", "restart"]],
  metrics: [["metrics", "ls"]],
  maintenance: [["maintenance", "on", "shop"]],
  start: [["start", "shop"]],
  destroy: [["destroy", "shop", "--yes"]],
  space: [
    ["space", "ls"],
    ["space", "destroy", "shop", "--yes"],
  ],
  kv: [
    ["kv", "get", "a"],
    ["kv", "put", "a", "1"],
    ["kv", "ls"],
    ["kv", "rm", "a"],
    ["kv", "watch"],
  ],
  check: [
    ["check", "ls"],
    ["check", "show", "up"],
    ["check", "history", "up"],
    ["check", "run", "up"],
    ["check", "beat", "up"],
  ],
  ladder: [
    ["ladder", "ls"],
    ["ladder", "show"],
    ["ladder", "explain"],
    ["ladder", "simulate", "--fail", "up"],
    ["ladder", "pause"],
    ["ladder", "resume"],
    ["ladder", "dry-run", "on"],
  ],
  escalation: [
    ["escalation", "ls"],
    ["escalation", "show", "a"],
    ["escalation", "watch"],
    ["escalation", "approve", "a"],
    ["escalation", "refuse", "a"],
    ["escalation", "acknowledge", "a"],
    ["escalation", "stop", "a"],
  ],
  pool: [
    ["pool", "ls"],
    ["pool", "show", "web"],
  ],
  explain: [["explain", "shop"]],
  route: [
    ["route", "ls"],
    ["route", "show", "shop.localhost"],
  ],
  ui: [["ui", "--print"]],
  token: [
    ["token", "ls"],
    ["token", "show"],
    ["token", "create", "ci", "--role", "viewer"],
    ["token", "revoke", "ci"],
  ],
  session: [
    ["session", "ls"],
    ["session", "end", "a"],
  ],
  exec: [["exec", "shop", "ls"]],
  run: [["run", "shop", "ls"]],
  top: [["top", "--once"]],
  status: [["status"]],
  machine: [
    ["machine", "ls"],
    ["machine", "show"],
    ["machine", "show", "m1"],
    ["machine", "token", "m2"],
    ["machine", "drain", "m2"],
    ["machine", "cordon", "m2"],
    ["machine", "uncordon", "m2"],
    ["machine", "label", "m2", "disk=ssd"],
    ["machine", "exec", "m2", "ls"],
    ["machine", "logs", "m2"],
    ["machine", "upgrade", "m2"],
    ["machine", "remove", "m2", "--yes"],
  ],
  upgrade: [["upgrade"]],
  restore: [["restore", "ls"]],
  search: [["search", "ls"]],
  shipping: [["shipping", "ls"]],
};
/** Those that work, or refuse for a reason of their own, without one. */
const serverless = new Set(["init", "up", "down", "completion", "version", "__complete"]);

test("every command is in the table of this test", () => {
  assert.deepEqual(new Set([...Object.keys(calls), ...serverless]), new Set(Object.keys(commandTable)));
});

test("without a server every command says so, with its hint, exit code and valid JSON", async (t) => {
  const home = await mkdtemp(join(tmpdir(), "drover-nothing-"));
  t.after(() => rm(home, { recursive: true }));
  const env = { ...process.env, DROVER_HOME: home, DROVER_URL: "http://127.0.0.1:9", DROVER_TOKEN: "none" };
  const all = Object.values(calls).flat();
  // A few at a time: the machine has two cores, and each is a process.
  for (let from = 0; from < all.length; from += 4) {
    await Promise.all(
      all.slice(from, from + 4).map(async (args) => {
        // Without the retries of a server that comes back: port 9 refuses, as a home without a token does at once.
        const { DROVER_URL: _url, ...withoutUrl } = env;
        const finished = await runDrover([args[0] ?? "", "--json", ...args.slice(1)], {
          env: { ...withoutUrl, DROVER_TOKEN: "" },
          cwd: home,
          input: "app: shop\nrun: x\n",
        });
        const what = `drover ${args.join(" ")}: ${finished.stdout}${finished.stderr}`;
        assert.equal(finished.code, 1, what);
        const body = JSON.parse(finished.stdout);
        assert.deepEqual(Object.keys(body), ["code", "message", "hint", "details"], what);
        assert.equal(body.code, "SERVER_UNREACHABLE", what);
        assert.match(
          finished.stderr,
          /^error: no Drover runs on ".*" {3}\[SERVER_UNREACHABLE\]\nhint: {2}Start it with "drover up"\.\n$/,
          what,
        );
      }),
    );
  }
});

const exits: readonly (readonly [ErrorCode, number])[] = [
  ["INTERNAL", 1],
  ["MANIFEST_INVALID", 2],
  ["UNHEALTHY", 4],
  ["TIMED_OUT", 5],
  ["UNAUTHENTICATED", 6],
  ["APP_NOT_FOUND", 7],
  ["CONFLICT", 8],
  ["CANNOT_PLACE", 9],
];

test("an error of the server keeps its code, words, hint and details, and gives its exit code", { concurrency: 4 }, async (t) => {
  for (const [code, exit] of exits) {
    void t.test(code, async () => {
      await using fake = await FakeServer.start({
        "GET /v1/apps": { error: { code, message: `it says "why"`, hint: "Do this.", details: { fact: 1 } } },
      });
      const plain = await fake.run(["apps"]);
      assert.deepEqual(plain, { code: exit, stdout: "", stderr: `error: it says "why"   [${code}]\nhint:  Do this.\n` });
      const json = await fake.run(["apps", "--json"]);
      assert.equal(json.code, exit);
      assert.deepEqual(JSON.parse(json.stdout), { code, message: `it says "why"`, hint: "Do this.", details: { fact: 1 } });
    });
  }
});

const usage: readonly { readonly args: readonly string[]; readonly says: RegExp }[] = [
  { args: ["pss"], says: /there is no command "pss" {3}\[USAGE\]\nhint: {2}Did you mean "ps"\?/ },
  { args: ["secrte", "ls"], says: /Did you mean "secret"\?/ },
  { args: ["xyzzy"], says: /hint: {2}Run "drover help"/ },
  { args: ["token", "create", "ci"], says: /required option "--role <role>" not specified/ },
  {
    args: ["token", "create", "ci", "--role", "root"],
    says: /there is no role "root" {3}\[USAGE\]\nhint: {2}Name one of viewer, deployer/,
  },
  { args: ["token", "create", "ci", "--role", "viewer", "--expires", "366d"], says: /--expires is "366d"/ },
  { args: ["ps", "--jsn"], says: /unknown option "--jsn" {3}\[USAGE\]\nhint: {2}Did you mean "--json"\?/ },
  { args: ["scale"], says: /missing required argument "app"/ },
  { args: ["scale", "shop", "--trace", "load.csv"], says: /--trace, --process and --start say what is simulated/ },
  { args: ["scale", "shop", "--simulate"], says: /--simulate needs a load/ },
  { args: ["scale", "shop", "--simulate", "--trace", "/nonexistent"], says: /there is no trace "\/nonexistent"/ },
  { args: ["scale", "shop", "many"], says: /"many" is no count/ },
  { args: ["scale", "shop", "web=-1"], says: /the number of web instances is "-1"/ },
  { args: ["logs", "shop", "--since", "yesterday"], says: /--since is "yesterday".*\[USAGE\]\nhint: .*10|5m/s },
  { args: ["logs", "--own", "--of", "app"], says: /Drover's own programs have no lines of kind "app"/ },
  { args: ["logs", "shop", "--since", "1h", "--until", "2h"], says: /--since 1h to --until 2h ends before it begins/ },
  { args: ["explain", "CERTIFICATE_EXPIRES"], says: /Did you mean "CERTIFICATE_EXPIRING"\?/ },
  { args: ["explain", "ROUTE_CONFLICTING"], says: /Did you mean "ROUTE_CONFLICT"\?/ },
  { args: ["logs", "shop", "-n", "x"], says: /--lines is "x"/ },
  { args: ["logs", "a/b/c"], says: /"a\/b\/c" names no app/ },
  { args: ["logs", "a/b", "--space", "c"], says: /in space "a", but --space says "c"/ },
  { args: ["env", "set", "shop", "NOVALUE"], says: /"NOVALUE" is no variable/ },
  { args: ["secret", "wipe"], says: /unknown command "wipe"/ },
  { args: ["apply", "nowhere.yaml"], says: /there is no file or folder "nowhere\.yaml"/ },
  { args: ["push", "https://example.com/a.tgz"], says: /needs --sha256/ },
  { args: ["completion", "cmd"], says: /there is no completion for "cmd"/ },
  { args: ["exec", "shop", "-x"], says: /unknown option "-x".*\nhint: {2}Put "--"/ },
  { args: ["status", "--timeout", "soon"], says: /--timeout is "soon"/ },
  { args: ["metrics", "query", "up", "--fn", "mean"], says: /Give one of rate, increase, avg, max, min, last, quantile/ },
];

test("what is called wrongly is refused with exit code 2 and the way to call it", { concurrency: 4 }, async (t) => {
  const fake = await FakeServer.start({});
  t.after(() => fake[Symbol.asyncDispose]());
  for (const { args, says } of usage) {
    void t.test(args.join(" "), async () => {
      const { code, stdout, stderr } = await fake.run(args);
      assert.equal(code, 2, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, says);
      assert.match(stderr, /^hint: {2}/m);
    });
  }
});

test("what destroys is refused without a terminal, names --yes, and changes nothing", async () => {
  await using fake = await FakeServer.start({
    "GET /v1/spaces/shop/apps/api": { json: appStatus() },
    "GET /v1/spaces/shop": { json: { name: "shop" } },
    "GET /v1/apps": { json: { apps: [] } },
    "GET /v1/spaces/default/secrets": { json: { secrets: [{ name: "KEY", version: 1, updatedAtMs: 0, usedBy: [], signs: [] }] } },
  });
  for (const args of [
    ["destroy", "shop/api"],
    ["space", "destroy", "shop"],
    ["secret", "rm", "KEY"],
  ]) {
    const { code, stderr } = await fake.run(args);
    assert.equal(code, 2);
    assert.match(stderr, /\[CONFIRMATION_NEEDED\]\nhint: {2}Give --yes/);
  }
  assert.deepEqual(fake.requests.filter(({ method }) => method !== "GET").length, 0);
});

test("nobody is asked about the end of what is not there, or cannot go", async () => {
  const used = { name: "KEY", version: 1, updatedAtMs: 0, usedBy: ["api"], signs: [] };
  await using fake = await FakeServer.start({ "GET /v1/spaces/default/secrets": { json: { secrets: [used] } } });
  assert.match((await fake.run(["secret", "rm", "NOPE"])).stderr, /has no secret "NOPE" {3}\[SECRET_NOT_FOUND\]/);
  assert.match((await fake.run(["secret", "rm", "KEY"])).stderr, /used by "api" {3}\[CONFLICT\]/);
});

test("whoever removes what signs webhooks is told that they go unsigned", async () => {
  const secret = { name: "KEY", version: 1, updatedAtMs: 0, usedBy: [], signs: ["ladder/demo"] };
  await using fake = await FakeServer.start({
    "GET /v1/spaces/default/secrets": { json: { secrets: [secret] } },
    "DELETE /v1/spaces/default/secrets/KEY": { json: {} },
  });
  const { stdout } = await fake.run(["secret", "rm", "KEY", "--yes"]);
  assert.match(stdout, /removed default\/KEY; webhooks of ladder\/demo are not signed any more/);
});

test("a mass failure is acknowledged by the word for it, and an escalation by its id", async () => {
  await using fake = await FakeServer.start({
    "POST /v1/spaces/default/mass-failure/acknowledge": { json: { acknowledgedAtMs: 0 } },
    "POST /v1/spaces/default/escalations/m/acknowledge": { json: { id: "machine/m1@1" } },
  });
  const { stdout } = await fake.run(["escalation", "acknowledge", "mass-failure", "--by", "ann"]);
  assert.match(stdout, /^the mass failure is acknowledged/);
  assert.match((await fake.run(["escalation", "acknowledge", "m"])).stdout, /^machine\/m1@1 is acknowledged/);
  assert.deepEqual(
    fake.requests.map(({ body }) => body),
    [{ by: "ann" }, {}],
  );
});

test("a name that no variable can have is refused before anything is asked of the server", async () => {
  await using fake = await FakeServer.start({});
  for (const args of [
    ["env", "set", "api", "A B=c"],
    ["env", "unset", "api", "1A"],
    ["secret", "set", "A-B"],
  ]) {
    const { code, stderr } = await fake.run(args, { input: "x" });
    assert.deepEqual([code, /is no name of a variable {3}\[NAME_INVALID\]\nhint: {2}A name has letters/.test(stderr)], [2, true], stderr);
  }
  assert.equal(fake.requests.length, 0);
});

test("what is meant is said once, and a key of a later version is said to be one", async () => {
  const at = { file: "-", column: 1 };
  const problems = [
    { ...at, kind: "invalid", line: 2, path: "rnu", found: '"rnu"', wanted: "a known key", nearest: "run" },
    { ...at, kind: "not-yet", line: 3, path: "jobs", found: '"jobs"', wanted: "jobs", nearest: null },
  ];
  const error = { code: "MANIFEST_INVALID" as const, message: "2 problems", hint: 'Did you mean "run"?', details: { problems } };
  await using fake = await FakeServer.start({ "POST /v1/plan": { error } });
  const { stderr } = await fake.run(["plan", "-"], { input: "app: shop\nrnu: x\njobs: {}\n" });
  assert.deepEqual(stderr.match(/did you mean/gi), ["did you mean"]);
  assert.match(stderr, /-:3:1 at jobs: "jobs" is not supported yet: jobs/);
});

for (const program of ["up", "agent", "server", "edge"]) {
  test(`drover ${program} --help prints how it is called and starts nothing`, async () => {
    await using fake = await FakeServer.start({});
    const { code, stdout, stderr } = await fake.run([program, "--help"]);
    assert.deepEqual([code, stderr, /Usage: drover /.test(stdout)], [0, "", true]);
  });
}

test("drover up --help has the options that take no value, and none that people have no use for", async () => {
  await using fake = await FakeServer.start({});
  const { stdout } = await fake.run(["up", "--help"]);
  assert.match(stdout, /^ {2}--encrypt /m);
  assert.doesNotMatch(stdout, /--join-only|--down/);
});

test("a manifest's problems are shown with their place, what is wanted, the nearest key and the line", async () => {
  const problem = { file: "-", line: 2, column: 1, path: "instnaces", found: '"instnaces"', wanted: "a known key", nearest: "instances" };
  await using fake = await FakeServer.start({
    "POST /v1/apply": {
      error: {
        code: "MANIFEST_INVALID",
        message: "the manifest has 1 problem",
        hint: "Correct it and apply again.",
        details: { problems: [problem] },
      },
    },
  });
  const { code, stderr } = await fake.run(["apply", "-"], { input: "app: shop\ninstnaces: 2\nrun: x\n" });
  assert.equal(code, 2);
  assert.equal(
    stderr,
    `error: the manifest has 1 problem   [MANIFEST_INVALID]
-:2:1 at instnaces: found "instnaces", wanted a known key; did you mean "instances"?
  2 | instnaces: 2
    | ^
hint:  Correct it and apply again.
`,
  );
});

test("what is not Drover behind DROVER_URL is not taken for it", async () => {
  await using fake = await FakeServer.start({});
  const { createServer } = await import("node:http");
  const stranger = createServer((_, response) => response.writeHead(404).end("<h1>nothing here</h1>")).listen(0, "127.0.0.1");
  await new Promise((resolve) => stranger.once("listening", resolve));
  const { port } = stranger.address() as { port: number };
  const { code, stderr } = await fake.run(["apps"], { env: { DROVER_URL: `http://127.0.0.1:${port}`, DROVER_TOKEN: "x" } });
  stranger.close();
  assert.equal(code, 1);
  assert.match(stderr, /what answers there is no Drover \(HTTP 404\)/);
});

test("a remote address without a token, or one that is none, is refused", async () => {
  await using fake = await FakeServer.start({});
  const without = await fake.run(["apps"], { env: { DROVER_URL: "https://drover.example" } });
  assert.equal(without.code, 6);
  assert.match(without.stderr, /DROVER_TOKEN is not/);
  const wrong = await fake.run(["apps"], { env: { DROVER_URL: "drover.example" } });
  assert.equal(wrong.code, 2);
});
