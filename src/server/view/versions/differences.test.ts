import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppVersions, InstanceVersion } from "#model/api-versions.ts";
import { findDifferences } from "./differences.ts";

const instance = (name: string, release: number, version: string | null = null, more: Record<string, string> = {}): InstanceVersion => ({
  id: `default/web/web.${release}.${name}`,
  process: "web",
  release,
  machine: "m1",
  state: "running",
  ready: true,
  said: version === null && Object.keys(more).length === 0 ? null : { version, commit: null, more },
  why: null,
});
const app = (instances: InstanceVersion[], shares: Record<number, number> = { 2: 1 }): Omit<AppVersions, "differences"> => ({
  space: "default",
  app: "web",
  wanted: { release: 2, cause: "apply", createdAtMs: 0, artifact: null },
  active: 2,
  routes: [
    {
      place: "web.localhost/",
      url: null,
      process: "web",
      targets: Object.entries(shares).map(([release, share]) => ({ release: Number(release), share, instances: 1 })),
    },
  ],
  instances,
});
const found = (view: Omit<AppVersions, "differences">) => findDifferences(view).map(({ code, message }) => `${code}: ${message}`);

test("nothing differs where all run what is wanted and say one thing, or nothing", () => {
  assert.deepEqual(found(app([instance("a", 2, "1.0"), instance("b", 2, "1.0"), instance("c", 2)])), []);
  assert.deepEqual(found(app([])), []);
});

test("what runs or gets requests of another release is behind", () => {
  assert.deepEqual(found(app([instance("a", 1), instance("b", 2)], { 1: 0.9, 2: 0.1 })), [
    "RELEASE_BEHIND: 1 instance runs release 1, and 2 is wanted",
    "ROUTE_BEHIND: web.localhost/ leads to release 1, and 2 is wanted",
  ]);
  assert.deepEqual(found(app([instance("b", 2)], { 1: 0, 2: 1 })), [], "what gets nothing is not behind");
});

test("instances of one release that say different versions are told, and so is one that says another release's number", () => {
  assert.deepEqual(found(app([instance("a", 2, "1.0"), instance("b", 2, "1.1"), instance("c", 2, "1.1")])), [
    "SAYS_DIFFERENTLY: instances of web of release 2 say different versions: 1.0 (1), 1.1 (2)",
  ]);
  assert.deepEqual(found(app([instance("a", 2, null, { release: "7" }), instance("b", 2, null, { release: "blue" })])), [
    "SAYS_OTHER_RELEASE: instances say another release than they run: web.2.a runs 2 and says 7",
  ]);
});
