import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { FeedbackView, HealthHistory, TimelineView } from "#model/api-history.ts";
import type { VersionsView } from "#model/api-versions.ts";
import { root, TestDrover } from "../harness/drover.ts";

const web = (version: string, more = "") =>
  `app: web\nrun: exec node ${join(root, "test/fixtures/web.mjs")}\nenv: { VERSION: "${version}" }\nready: { http: / }\nstop: { drain: 0s, grace: 2s }\n${more}`;

let drover: TestDrover;
before(async () => {
  drover = await TestDrover.start();
});
after(() => drover[Symbol.asyncDispose]());

const versions = async (...args: string[]) => JSON.parse(await drover.run("versions", ...args, "--json")) as VersionsView;

test("each app shows the release that is wanted, what runs, and what it says of itself; Drover's own programs too", async () => {
  await drover.apply(web("1.0", "instances: 2\n"));
  const [shop] = (await versions("web")).apps;
  assert.equal(shop?.wanted?.release, 1);
  assert.deepEqual(
    shop?.instances.map(({ release, said }) => [release, said?.version, said?.more["release"]]),
    [
      [1, "1.0", "1"],
      [1, "1.0", "1"],
    ],
  );
  assert.deepEqual(
    shop?.routes.filter(({ url }) => url !== null).map(({ targets }) => targets),
    [[{ release: 1, share: 1, instances: 2 }]],
  );
  assert.deepEqual(shop?.differences, []);

  const { programs } = await versions();
  assert.deepEqual(
    programs.map(({ program, differs }) => [program, differs]),
    [
      ["server", false],
      ["agent", false],
      ["edge", false],
    ],
  );
  assert.match(await drover.run("versions"), /default\/web +1 +1 +1\.0[\s\S]*server[\s\S]*agent[\s\S]*edge/);

  await drover.apply(web("2.0", "instances: 2\ninfo: none\n"));
  const later = (await versions("web")).apps[0];
  assert.deepEqual(
    later?.instances.filter(({ ready }) => ready).map(({ release, said }) => [release, said]),
    [
      [2, null],
      [2, null],
    ],
  );
});

test("an event says whose token asked for it, and nothing of what happened by itself", async () => {
  const { token } = JSON.parse(await drover.run("token", "create", "ci", "--role", "deployer", "--json"));
  const { code } = await drover.cli(["restart", "web"], { env: { DROVER_TOKEN: token } });
  assert.equal(code, 0);
  const { events } = JSON.parse(await drover.run("events", "web", "-n", "1000", "--json")) as {
    events: { kind: string; by: string | null }[];
  };
  const by = (kind: string) => [...new Set(events.filter((event) => event.kind === kind).map((event) => event.by))];
  assert.deepEqual([by("app.restarted"), by("app.created"), by("instance.ready")], [["ci"], ["owner"], [null]]);
});

test("what happened is laid side by side, and the figures of an app follow from it", async () => {
  const failed = await drover.cli(["apply", await drover.file("bad.yaml", `${web("3.0").replace("exec node", "exit 3; exec node")}`)]);
  assert.equal(failed.code, 4, failed.stderr);
  const { lanes } = JSON.parse(await drover.run("timeline", "web", "--json")) as TimelineView;
  const lane = (name: string) => lanes.find((one) => one.lane === name)?.spans ?? [];
  assert.deepEqual(
    lane("deploys").map(({ subject, outcome, by }) => [subject, outcome, by]),
    [
      ["1", "ok", "owner"],
      ["2", "ok", "owner"],
      ["3", "failed", "owner"],
    ],
  );
  assert.ok(lane("people").some(({ by, title }) => by === "ci" && title.includes("restarted")));
  assert.ok(lane("machines").some(({ title }) => title.startsWith("the server started")));
  assert.match(await drover.run("timeline", "web", "--lanes", "deploys"), /deploys +default\/web: release 3 .* \(failed, .*\) by owner/);
  assert.equal((await drover.cli(["timeline", "--lanes", "colours"])).code, 2);

  const health = JSON.parse(await drover.run("health", "web", "--json")) as HealthHistory;
  assert.deepEqual([health.periods[0]?.state, health.periods.at(-1)?.state], ["unknown", "well"]);
  const [machine = ""] = JSON.parse(await drover.run("machine", "ls", "--json")).machines.map(({ id }: { id: string }) => id);
  assert.match(await drover.run("health", "--machine", machine), /was well 100 % of what is known of the last 1d/);
  assert.match((await drover.cli(["health", "--machine", "none"])).stderr, /MACHINE_NOT_FOUND/);
  assert.equal((await drover.cli(["health"])).code, 2);

  const { apps } = JSON.parse(await drover.run("feedback", "web", "--json")) as FeedbackView;
  const [{ changes, failed: failures, leadTimeMs, failingSinceMs } = assert.fail()] = apps;
  assert.deepEqual([changes, failures, leadTimeMs !== null, failingSinceMs], [3, 1, true, null]);
  assert.match(await drover.run("feedback"), /default\/web +3 .* 1 \(33%\)/);
});
