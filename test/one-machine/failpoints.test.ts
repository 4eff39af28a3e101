import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { failpointNames } from "#host/testing/failpoint-names.ts";
import { nodeProcessesOf, root, TestDrover } from "../harness/drover.ts";
import { seed, seeded } from "../harness/random.ts";

const fixture = join(root, "test/fixtures/web.mjs");
/** All of them take minutes; by default this many run, others each time. DROVER_FULL=1 runs all, DROVER_SEED replays one run. */
const sampled = 3;

/** Not reached by starting, deploying and destroying, and where they are killed instead. */
const elsewhere: Readonly<Record<string, string>> = {
  "escalation.save.after": "only where something is checked; escalations.test.ts",
  "escalation.save.before": "only where something is checked; escalations.test.ts",
  "escalation.started": "only where something is checked; escalations.test.ts",
  "logs.shipped.before-note": "only where logs are sent to others; shipping.test.ts",
  "step.end.after": "only where something is checked; escalations.test.ts",
  "step.end.before": "only where something is checked; escalations.test.ts",
  "store.backup.before-rename": "backups are made by the hour; src/server/store/crash.test.ts",
  "store.checkpoint.after": "the log is moved when it is large or the store is closed; src/server/store/crash.test.ts",
  "store.checkpoint.before": "the log is moved when it is large or the store is closed; src/server/store/crash.test.ts",
  "store.restore.before-rename": "only while a backup is restored; src/server/store/crash.test.ts",
};

const manifest = (version: number) =>
  `app: web\nrun: echo version ${version} starts; exec node ${fixture}\ninstances: 2\nenv: { VERSION: "${version}" }\nready: { http: / }\nstop: { drain: 1s, grace: 2s }\n`;

const names = (await failpointNames(join(root, "src"))).filter((name) => !Object.hasOwn(elsewhere, name));
const random = seeded(seed);
const chosen =
  process.env["DROVER_FULL"] === "1"
    ? names
    : names
        .map((name) => ({ name, order: random() }))
        .sort((a, b) => a.order - b.order)
        .slice(0, sampled)
        .map(({ name }) => name);

test(`a program killed at a named place leaves nothing doubled, orphaned or lost (${chosen.length} of ${names.length} places, DROVER_SEED=${seed})`, async (t) => {
  for (const [name, where] of Object.entries(elsewhere)) t.diagnostic(`not here: ${name}: ${where}`);
  for (const name of chosen) await t.test(name, () => killedAt(name));
});

async function killedAt(name: string): Promise<void> {
  await using drover = await TestDrover.prepare();
  drover.launch([], { DROVER_FAILPOINTS: `${name}=kill` });
  const wasHit = () => !drover.agentRuns || drover.output.split("\n").some(isProgramKilled);
  const go = (what: string, done: () => Promise<boolean>) => drover.until(`${what}, or the kill`, async () => wasHit() || done());
  const apply = (input: string) => drover.cli(["apply", "-", "--detach"], { input });

  await go("the API answers", async () => [0, 4].includes((await drover.cli(["status"])).code ?? -1));
  await go("a first release is taken", async () => (await apply(manifest(1))).code === 0);
  await go("the first release serves", async () => (await versionOf(drover)) === "1");
  await go("an app that will go is taken", async () => (await apply("app: extra\nrun: exec sleep 1000\nport: none\n")).code === 0);
  await go("a second release is taken", async () => (await apply(manifest(2))).code === 0);
  await go("the second release serves", async () => (await versionOf(drover)) === "2");
  await go("the first release is gone", async () => (await nodeProcessesOf(drover.home, fixture)).length === 2);
  await go("the app goes", async () => [0, 7].includes((await drover.cli(["destroy", "extra", "--yes", "--detach"])).code ?? -1));
  await go("the place is reached", async () => false);

  // Whatever was started with the failpoint would be killed there again, and an agent takes over what runs: only what an agent without the
  // failpoint starts is without it.
  if (drover.agentRuns) await drover.kill("agent");
  await drover.up();
  for (const program of ["server", "edge"] as const) await drover.kill(program);
  await drover.ready();
  await drover.apply(manifest(3));
  await drover.cli(["destroy", "extra", "--yes"]);
  await drover.until("the declared release alone runs", async () => {
    const { instances } = JSON.parse((await drover.api("GET", "/v1/spaces/default/apps/web")).body) as {
      instances: { pid: number; ready: boolean }[];
    };
    const running = await nodeProcessesOf(drover.home, fixture);
    return instances.length === 2 && String(running.sort()) === String(instances.map(({ pid }) => pid).sort());
  });
  assert.equal(await versionOf(drover), "3");
  assert.deepEqual(
    JSON.parse(await drover.run("apps", "--json")).apps.map((app: { name: string }) => app.name),
    ["web"],
  );
  for (const program of ["server", "edge"]) {
    assert.equal((await nodeProcessesOf(drover.home, `src/${program}/main.ts`)).length, 1, `one ${program} runs`);
  }
}

function isProgramKilled(line: string): boolean {
  return /"instance ended"/.test(line) && /drover\/(server|edge)\/main/.test(line) && /SIGKILL/.test(line);
}

async function versionOf(drover: TestDrover): Promise<string> {
  return JSON.parse((await drover.get("web.default.localhost")).body).version;
}
