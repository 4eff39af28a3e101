import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { root, TestDrover } from "../harness/drover.ts";

const web = (version: number) =>
  `app: web\nrun: exec node ${join(root, "test/fixtures/web.mjs")}\nenv: { VERSION: "${version}" }\nready: { http: / }\nstop: { drain: 0s, grace: 2s }\n`;

test("one deploy is told in the order in which it happened, each step once", async () => {
  await using drover = await TestDrover.start();
  await drover.apply(web(1));
  await drover.apply(web(2));
  // The old instance leaves while the new one serves: when it is gone is up to it. That the app is well is told a moment after it is.
  let told: string[] = [];
  await drover.until("the old instance is gone", async () => {
    told = (await drover.run("events", "web", "-n", "100"))
      .trim()
      .split("\n")
      .map(withoutChance)
      .filter((line) => !line.startsWith("app.well "));
    return told.some((line) => line.endsWith("is gone"));
  });
  assert.deepEqual(told, [
    'app.created default/web: release 1 of "web" is wanted (apply)',
    "release.started default/web: release 1 is on its way (apply)",
    "workload.scaled default/web: web of release 1 is to have 1 instance: instances are wanted",
    "instance.ready default/web: web.1.* is ready",
    "release.active default/web: release 1 is active: all wanted instances are ready",
    'release.created default/web: release 2 of "web" is wanted (apply)',
    "release.started default/web: release 2 is on its way (apply)",
    "workload.scaled default/web: web of release 2 is to have 1 instance: instances are wanted",
    "instance.ready default/web: web.2.* is ready",
    "release.active default/web: release 2 is active: all wanted instances are ready",
    "workload.removed default/web: web of release 1 stops: another release takes its place",
    "instance.draining default/web: web.1.* takes no new requests and finishes what it has",
    "instance.gone default/web: web.1.* is gone",
  ]);
});

/** Without the time at its start and the letters at the end of an instance's name. */
function withoutChance(line: string): string {
  return line.slice("2026-01-01 00:00:00 ".length).replace(/\bweb\.(\d+)\.[a-z0-9]+/, "web.$1.*");
}
