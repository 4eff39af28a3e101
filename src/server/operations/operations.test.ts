import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import type { Applied, ManifestProblem, Plan } from "#model/api.ts";
import type { App } from "#model/app.ts";
import { DroverError } from "#model/errors.ts";
import type { AppName, Digest, ProcessName, SpaceName } from "#model/names.ts";
import { type ApiFixture, startApi } from "../api/testing/api-fixture.ts";
import { keys, objects, put } from "../objects/objects.ts";
import { changeEnvironment, destroy, restart, rollback, scale, setStopped } from "./app-operations.ts";
import { apply, planApply } from "./apply.ts";
import { recordArtifact } from "./artifacts.ts";
import { setSecret, unsetSecret } from "./secret-operations.ts";
import { deleteSpace } from "./space-operations.ts";

let api: ApiFixture;
let space = "";
let spaces = 0;
const opened = startApi();
beforeEach(async () => {
  api = await opened;
  space = `space-${++spaces}`;
});
after(async () => (await opened)[Symbol.asyncDispose]());

const request = (text: string, more: Partial<Parameters<typeof apply>[1]> = {}): Parameters<typeof apply>[1] => ({
  documents: [{ file: "app.yaml", text }],
  space: space as SpaceName,
  variables: {},
  artifacts: {},
  prune: false,
  force: false,
  cause: "apply",
  ...more,
});
const declare = (text: string, more: Partial<Parameters<typeof apply>[1]> = {}): Promise<Applied> =>
  apply(api.services, request(text, more));
const plan = (text: string, more: Partial<Parameters<typeof apply>[1]> = {}): Plan => planApply(api.services, request(text, more));
const appOf = (name: string) =>
  objects.app(api.services.store, space as SpaceName, name as AppName)?.value ?? assert.fail(`no app ${name}`);
const releaseOf = (name: string, number: number) =>
  objects.release(api.services.store, space as SpaceName, name as AppName, number)?.value ?? assert.fail(`no release ${number}`);
const specOf = (name: string) => releaseOf(name, appOf(name).target ?? 0).spec;
const on = (name: string) => ({ space: space as SpaceName, app: name as AppName, receipt: null, require: () => undefined });
const actions = ({ changes }: Plan) => Object.fromEntries(changes.map(({ kind, name, action }) => [`${kind} ${name}`, action]));
const codeOf = async (action: Promise<unknown> | (() => unknown)): Promise<string> => {
  try {
    await (typeof action === "function" ? action() : action);
    return "no error";
  } catch (error) {
    if (error instanceof DroverError) return error.code;
    throw error;
  }
};

/** What a controller does when the wanted release is ready. */
async function activate(name: string): Promise<void> {
  const app = appOf(name);
  const changes = objects
    .releases(api.services.store, app.space, app.name)
    .filter(({ value }) => value.state === "active" && value.number !== app.target)
    .map(({ key, value }) => put(key, { ...value, state: "superseded" }));
  const target = releaseOf(name, app.target ?? 0);
  await api.services.store.commit({
    changes: [
      put(keys.app(app.space, app.name), { ...app, active: app.target }),
      put(keys.release(app.space, app.name, target.number), { ...target, state: "active" }),
      ...changes,
    ],
  });
}

const hostOf = ({ routes: [route] }: App) => (route !== undefined && "host" in route ? route.host : null);

test("seventy-five apps are one revision, and declaring them again is none", async () => {
  const text = Array.from({ length: 75 }, (_, i) => `app: app-${i}\nrun: busybox httpd -f -p $PORT\n`).join("---\n");
  const { revision } = api.services.store;
  const applied = await declare(text);
  assert.equal(applied.revision, revision + 1);
  assert.equal(applied.releases.length, 75);
  const again = await declare(text);
  assert.equal(again.revision, revision + 1);
  assert.deepEqual(again.releases, []);
  assert.ok(again.plan.changes.every(({ action }) => action === "none"));
  const ports = objects.apps(api.services.store, space as SpaceName).flatMap(({ value }) => Object.values(value.servicePorts));
  assert.equal(new Set(ports).size, 75);
});

test("a set with one mistake changes nothing at all", async () => {
  const { revision } = api.services.store;
  assert.equal(await codeOf(declare("app: good\nrun: x\n---\napp: bad\nrun: 5\n")), "MANIFEST_INVALID");
  assert.equal(api.services.store.revision, revision);
});

test("a plan says what would happen and changes nothing", async () => {
  const { revision } = api.services.store;
  assert.deepEqual(actions(plan("app: a\nrun: x\n")), { [`space ${space}`]: "create", "app a": "create" });
  assert.equal(api.services.store.revision, revision);
  await declare("app: a\nrun: x\n");
  const next = plan("app: a\nrun: y\ninstances: 2\n");
  assert.deepEqual(actions(next), { "app a": "release" });
  assert.deepEqual(
    next.changes[0]?.changes.map(({ path, from, to }) => [path, from, to]),
    [
      ["instances.web", 1, 2],
      ["release.processes.web.run", "x", "y"],
    ],
  );
  assert.deepEqual(actions(plan("app: a\nrun: x\ninstances: 2\n")), { "app a": "update" });
});

test("what needs no new instances makes no release", async () => {
  await declare("app: a\nrun: x\n");
  await declare("app: a\nrun: x\ninstances: 3\nteam: core\nroutes: [{ host: a.example }]\ndeploy: { strategy: blue-green }\n");
  const app = appOf("a");
  assert.deepEqual([app.lastRelease, app.instances, hostOf(app)], [1, { web: 3 }, "a.example"]);
});

test("a newer deploy supersedes one that is on its way", async () => {
  await declare("app: a\nrun: x\n");
  await declare("app: a\nrun: y\n");
  assert.equal(appOf("a").target, 2);
  assert.equal(releaseOf("a", 1).state, "superseded");
  assert.match(releaseOf("a", 1).failure?.reason ?? "", /release 2/);
});

test("declaring the same again after its release failed is another attempt; force always is", async () => {
  await declare("app: a\nrun: x\n");
  const failed = releaseOf("a", 1);
  await api.services.store.commit({ changes: [put(keys.release(failed.space, failed.app, 1), { ...failed, state: "failed" })] });
  assert.equal((await declare("app: a\nrun: x\n")).releases[0]?.release, 2);
  assert.equal((await declare("app: a\nrun: x\n")).releases.length, 0);
  assert.equal((await declare("app: a\nrun: x\n", { force: true })).releases[0]?.release, 3);
});

test("counts set by hand stay until a manifest names them", async () => {
  await declare("app: a\nrun: x\n");
  await scale(api.services, on("a"), { ["web" as ProcessName]: 5 });
  await declare("app: a\nrun: x\nteam: core\n");
  assert.deepEqual(appOf("a").instances, { web: 5 });
  await declare("app: a\nrun: x\ninstances: 2\n");
  assert.deepEqual([appOf("a").instances, appOf("a").manual.instances], [{ web: 2 }, {}]);
  assert.equal(await codeOf(scale(api.services, on("a"), { ["wbe" as ProcessName]: 5 })), "PROCESS_NOT_FOUND");
});

test("variables set by hand are a new release and stay until a manifest names them", async () => {
  await declare("app: a\nrun: x\nenv: { LEVEL: info, MODE: fast }\n");
  const { release } = await changeEnvironment(api.services, on("a"), { set: { LEVEL: "debug", EXTRA: "1" }, unset: ["MODE"] });
  assert.equal(release, 2);
  assert.deepEqual(specOf("a").env, { EXTRA: "1", LEVEL: "debug" });
  await declare("app: a\nrun: x\nenv: { LEVEL: info, MODE: fast }\n");
  assert.deepEqual(specOf("a").env, { EXTRA: "1", LEVEL: "info", MODE: "fast" });
  const { revision } = api.services.store;
  const same = await changeEnvironment(api.services, on("a"), { set: { LEVEL: "info" }, unset: ["NOWHERE"] });
  assert.deepEqual([same.changed, api.services.store.revision, appOf("a").manual.env], [false, revision, { EXTRA: "1" }]);
  await changeEnvironment(api.services, on("a"), { set: { EXTRA: "1" }, unset: [] });
  assert.equal(api.services.store.revision, revision);
});

test("a variable that a rollback took away can be unset, so that no later apply brings it back", async () => {
  await declare("app: a\nrun: x\n");
  await changeEnvironment(api.services, on("a"), { set: { BAD: "1" }, unset: [] });
  await rollback(api.services, on("a"), 1);
  const unset = await changeEnvironment(api.services, on("a"), { set: {}, unset: ["BAD"] });
  assert.deepEqual([unset.changed, appOf("a").manual.env], [true, { BAD: null }]);
  await declare("app: a\nrun: y\n");
  assert.deepEqual(specOf("a").env, {});
});

test("a rollback is a new release with what the last one that served was", async () => {
  await declare("app: a\nrun: one\n");
  await activate("a");
  await declare("app: a\nrun: two\n");
  await activate("a");
  await declare("app: a\nrun: three\n");
  await rollback(api.services, on("a"), undefined);
  assert.deepEqual([appOf("a").target, specOf("a").processes["web" as ProcessName]?.run], [4, "two"]);
  await activate("a");
  await rollback(api.services, on("a"), undefined);
  assert.equal(specOf("a").processes["web" as ProcessName]?.run, "one");
  await rollback(api.services, on("a"), 3);
  assert.equal(specOf("a").processes["web" as ProcessName]?.run, "three");
  assert.match(releaseOf("a", 6).cause, /rollback to 3/);
  assert.equal(await codeOf(rollback(api.services, on("a"), 99)), "RELEASE_NOT_FOUND");
});

test("only so many releases are kept, and never without the active one", async () => {
  await declare("app: a\nrun: x\n");
  await activate("a");
  for (let i = 0; i < 25; i++) await declare(`app: a\nrun: x${i}\n`);
  const numbers = objects.releases(api.services.store, space as SpaceName, "a" as AppName).map(({ value }) => value.number);
  assert.ok(numbers.length <= 22, String(numbers.length));
  assert.deepEqual([numbers[0], numbers.at(-1)], [1, 26]);
});

test("needs gives the stable port of the other app, whatever the order of the documents", async () => {
  await declare("app: front\nrun: x\nneeds: [db]\n---\napp: db\nrun: y\nprocesses: {}\n");
  assert.equal(specOf("front").needs["db" as AppName]?.port, appOf("db").servicePorts["web" as ProcessName]);
});

test("a need that is not there yet is a warning, and arrives with a new release of its own", async () => {
  const { plan: first } = await declare("app: front\nrun: x\nneeds: [db]\n");
  assert.match(first.changes.at(-1)?.warnings[0] ?? "", /needs "db"/);
  const { releases } = await declare("app: db\nprocesses: { web: { run: y, protocol: tcp } }\n");
  assert.deepEqual(
    releases.map(({ app }) => app),
    ["db", "front"],
  );
  assert.equal(specOf("front").needs["db" as AppName]?.protocol, "tcp");
});

test("a process keeps its stable port over releases, and a destroyed app's port is not handed on", async () => {
  await declare("app: a\nrun: x\n");
  const port = appOf("a").servicePorts["web" as ProcessName];
  await declare("app: a\nrun: y\n---\napp: b\nrun: z\n");
  assert.equal(appOf("a").servicePorts["web" as ProcessName], port);
  assert.notEqual(appOf("b").servicePorts["web" as ProcessName], port);
});

test("one route has one owner, in the set and across spaces, and the refusal names the place", async () => {
  await declare(`app: a\nrun: x\nroutes: [{ host: shop-${space}.example }]\n`);
  const other = request(`app: b\nrun: x\nroutes:\n  - { host: shop-${space}.example, path: / }\n`, { space: `${space}-b` as SpaceName });
  await assert.rejects(apply(api.services, other), (error: DroverError) => {
    const [problem] = (error.details as { problems: ManifestProblem[] }).problems;
    assert.deepEqual([error.code, problem?.line, problem?.path], ["MANIFEST_INVALID", 4, "routes.0"]);
    assert.match(problem?.wanted ?? "", /app "a"/);
    return true;
  });
  const twins = "app: c\nrun: x\nroutes: [{ host: twin.example }]\n---\napp: d\nrun: x\nroutes: [{ host: twin.example }]\n";
  assert.equal(await codeOf(declare(twins)), "MANIFEST_INVALID");
  assert.equal(await codeOf(declare("app: e\nrun: x\nroutes: [{ to: wbe }]\n")), "MANIFEST_INVALID");
});

test("instances that speak TLS have to be who the route's host says, unless a name is given or nothing is verified", async () => {
  const namesOf = async (routes: string) => {
    await declare(`app: a\nrun: x\nroutes: [${routes}]\n`);
    return appOf("a").routes.map(({ policy }) => (policy?.upstream?.protocol === "https" ? policy.upstream.serverName : null));
  };
  const at = `host: ${space}.example, path:`;
  const https = "protocol: https";
  assert.deepEqual(
    await namesOf(
      `{ ${at} /a, upstream: { ${https} } }, { ${at} /b, upstream: { ${https}, name: in.example } }, { ${at} /c, upstream: { ${https}, verify: false } }`,
    ),
    [`${space}.example`, "in.example", undefined],
  );
  assert.equal(await codeOf(namesOf(`{ host: "*.${space}.example", upstream: { ${https} } }`)), "MANIFEST_INVALID");
  assert.deepEqual(await namesOf(`{ host: "*.${space}.example", upstream: { ${https}, name: in.example } }`), ["in.example"]);
  assert.equal(await codeOf(namesOf(`{ ${at} /, upstream: { ${https}, ca: nonsense } }`)), "MANIFEST_INVALID");
});

test("a fixed port that somebody has is refused", async () => {
  await declare("app: a\nrun: x\nport: 9001\n");
  for (const port of [9_001, 7_373, 0, 65_536, appOf("a").servicePorts["web" as ProcessName]]) {
    assert.equal(await codeOf(declare(`app: b\nrun: x\nport: ${port}\n`)), "MANIFEST_INVALID", String(port));
  }
  assert.equal(await codeOf(declare("app: a\nrun: y\nport: 9001\n")), "no error");
  await destroy(api.services, on("a"));
});

test("a source has to be built before it is applied, and then keeps its artifact", async () => {
  const text = "app: a\nsource: .\nprocesses: { worker: { instances: 2 } }\n";
  assert.equal(plan(text).changes.at(-1)?.source, ".");
  assert.equal(await codeOf(declare(text)), "ARTIFACT_NOT_FOUND");
  const artifact = `sha256:${"a".repeat(64)}` as Digest;
  assert.equal(await codeOf(declare(text, { artifacts: { ["a" as AppName]: artifact } })), "ARTIFACT_NOT_FOUND");
  const built = {
    artifact,
    sizeBytes: 1,
    files: 1,
    kind: "procfile",
    processes: { web: "npm start", worker: "npm run work" },
    cached: false,
  };
  await recordArtifact(api.services.store, built, 0);
  await declare(text, { artifacts: { ["a" as AppName]: artifact }, cause: "push" });
  const { processes, artifact: kept } = specOf("a");
  assert.equal(kept, artifact);
  assert.deepEqual(
    Object.entries(processes).map(([name, { run, port }]) => [name, run, port]),
    [
      ["web", "npm start", "auto"],
      ["worker", "npm run work", "none"],
    ],
  );
  assert.deepEqual(appOf("a").instances, { web: 1, worker: 2 });
  assert.equal((await declare(text)).releases.length, 0);
  const wrong = text.replace("worker", "wroker");
  await assert.rejects(
    declare(wrong),
    (error: DroverError) => (error.details as { problems: ManifestProblem[] }).problems[0]?.nearest === "worker",
  );
});

test("what nothing could wake is refused by a plan too, built or not; a queue, a command or an hour wakes what has no port", () => {
  const worker = (scale: string, source = "") => `app: a\n${source}processes: { job: { run: x, scale: ${scale} } }\n`;
  for (const source of ["", "source: .\n"])
    assert.throws(
      () => plan(worker("{ min: 0, max: 2 }", source)),
      (error: DroverError) => /no port/.test((error.details as { problems: ManifestProblem[] }).problems[0]?.wanted ?? ""),
    );
  plan(worker("{ min: 0, max: 2, on: { metric: { name: jobs_waiting, each: 10 } } }"));
  plan(worker("{ min: 0, max: 2, on: { command: { run: x } } }"));
  plan(worker("{ min: 0, max: 2, schedule: [{ from: '08:00', until: '18:00', zone: Etc/UTC, min: 1 }] }"));
});

test("a secret's new value is a new release of each app that uses it, and its value shows nowhere", async () => {
  await declare(`space: ${space}\n`);
  assert.equal(await codeOf(declare("app: a\nrun: x\nsecrets: [KEY]\n")), "SECRET_MISSING");
  const canary = "canary-5f1e7a";
  await setSecret(api.services, { space: space as SpaceName, name: "KEY", receipt: null }, canary);
  await declare("app: a\nrun: x\nsecrets: [KEY]\n---\napp: b\nrun: x\n");
  const { releases, version } = await setSecret(api.services, { space: space as SpaceName, name: "KEY", receipt: null }, `${canary}-2`);
  assert.deepEqual([version, releases], [2, [{ app: "a", release: 2 }]]);
  assert.equal(specOf("a").secrets["KEY"], 2);
  assert.equal(await codeOf(unsetSecret(api.services, { space: space as SpaceName, name: "KEY", receipt: null })), "CONFLICT");
  const stored = api.services.store.list("/").map((entry) => Buffer.from(entry.value).toString("latin1"));
  const told = JSON.stringify([
    ...stored,
    api.services.events.query({ limit: 1_000 }),
    plan("app: a\nrun: y\nsecrets: [KEY]\n"),
    api.logged,
  ]);
  assert.equal(told.includes(canary), false);
});

test("the space's environment and domain reach every app of it", async () => {
  await declare(`space: ${space}\nenv: { REGION: eu, OLD: 1 }\n---\napp: a\nrun: x\nenv: { OWN: 1 }\n`);
  assert.deepEqual(specOf("a").env, { OLD: "1", OWN: "1", REGION: "eu" });
  await declare(`space: ${space}\nenv: { REGION: us }\ndomain: ${space}.example\n`);
  assert.deepEqual([specOf("a").env, hostOf(appOf("a"))], [{ OWN: "1", REGION: "us" }, `a.${space}.example`]);
});

test("pruning destroys what no document declares, and only in its space", async () => {
  await declare("app: a\nrun: x\n---\napp: b\nrun: x\n");
  assert.deepEqual(actions(plan("app: a\nrun: x\n", { prune: true })), { "app a": "none", "app b": "destroy" });
  await declare("app: a\nrun: x\n", { prune: true });
  assert.deepEqual([appOf("a").destroying, appOf("b").destroying], [false, true]);
});

test("an app that is being destroyed is made anew by declaring it", async () => {
  await declare("app: a\nrun: x\n");
  await destroy(api.services, on("a"));
  assert.equal(await codeOf(scale(api.services, on("a"), {})), "APP_NOT_FOUND");
  assert.equal(actions(plan("app: a\nrun: x\n"))["app a"], "create");
  await declare("app: a\nrun: x\n");
  assert.deepEqual([appOf("a").destroying, appOf("a").recreate, appOf("a").target], [true, true, 2]);
  assert.equal(actions(plan("app: a\nrun: x\n"))["app a"], "none", "it is wanted as it is declared");
});

test("an app that is made anew has nothing of the one before that was set by hand, and can be changed and destroyed again", async () => {
  await declare("app: a\nrun: x\n");
  await changeEnvironment(api.services, on("a"), { set: { OLD: "1" }, unset: [] });
  await scale(api.services, on("a"), { ["web" as ProcessName]: 3 });
  await destroy(api.services, on("a"));
  await declare("app: a\nrun: x\n");
  assert.deepEqual([specOf("a").env, appOf("a").instances, appOf("a").active], [{}, { web: 1 }, null]);
  await scale(api.services, on("a"), { ["web" as ProcessName]: 2 });
  assert.deepEqual([appOf("a").instances, appOf("a").destroying], [{ web: 2 }, true]);
  await destroy(api.services, on("a"));
  assert.deepEqual([appOf("a").destroying, appOf("a").recreate], [true, false]);
});

test("stopping and starting twice is doing it once; each restart is its own", async () => {
  await declare("app: a\nprocesses: { web: { run: x }, worker: { run: y } }\n");
  const first = await setStopped(api.services, on("a"), true);
  assert.equal((await setStopped(api.services, on("a"), true)).revision, first.revision);
  await setStopped(api.services, on("a"), false);
  await restart(api.services, on("a"));
  const token = appOf("a").restartToken;
  await restart(api.services, on("a"));
  assert.notEqual(appOf("a").restartToken, token);
  await restart(api.services, on("a"), "worker" as ProcessName);
  assert.deepEqual(Object.keys(appOf("a").restartTokens ?? {}), ["worker"]);
});

test("a space with apps is not deleted; an empty one goes with what is in it", async () => {
  await declare("app: a\nrun: x\n");
  const call = { receipt: null, require: () => undefined };
  assert.equal(await codeOf(deleteSpace(api.services, space as SpaceName, call)), "CONFLICT");
  const empty = `${space}-empty` as SpaceName;
  await api.call("PUT", `/v1/spaces/${empty}`, {});
  await api.call("PUT", `/v1/spaces/${empty}/kv/key`);
  await deleteSpace(api.services, empty, call);
  assert.deepEqual(api.services.store.list(keys.kv(empty, "")), []);
});

test("writers that meet all get through, one after another", async () => {
  await declare("app: a\nrun: x\n");
  const names = Array.from({ length: 8 }, (_, i) => `V${i}`);
  await Promise.all(names.map((name) => changeEnvironment(api.services, on("a"), { set: { [name]: "1" }, unset: [] })));
  assert.deepEqual(Object.keys(specOf("a").env), names);
  assert.equal(appOf("a").lastRelease, 9);
});

test("If-Match on an app holds against a change that came between", async () => {
  await declare("app: a\nrun: x\n");
  const read = await api.fetch("GET", `/v1/spaces/${space}/apps/a`);
  const etag = read.headers.get("etag") ?? "";
  await scale(api.services, on("a"), { ["web" as ProcessName]: 2 });
  const refused = await api.fetch("PUT", `/v1/spaces/${space}/apps/a`, { json: { run: "y" }, headers: { "if-match": etag } });
  assert.equal(refused.status, 412);
  const made = await api.fetch("PUT", `/v1/spaces/${space}/apps/new`, { json: { run: "y" }, headers: { "if-none-match": "*" } });
  assert.equal(made.status, 200);
  assert.equal(
    (await api.fetch("PUT", `/v1/spaces/${space}/apps/new`, { json: { run: "y" }, headers: { "if-none-match": "*" } })).status,
    412,
  );
});
