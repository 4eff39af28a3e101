import assert from "node:assert/strict";
import { test } from "node:test";
import { releasesText, saidText, saidVersions } from "./version-words.ts";

test("releases that run are told with their numbers of instances where there are several", () => {
  assert.equal(releasesText([]), "–");
  assert.equal(releasesText([{ release: 3 }, { release: 3 }]), "3");
  assert.equal(releasesText([{ release: 3 }, { release: 4 }, { release: 3 }]), "1 × 4, 2 × 3");
});

test("what instances say is told once for each version, by the commit where there is no version", () => {
  const said = (version: string | null, commit: string | null = null) => ({ said: { version, commit, more: {} } });
  assert.deepEqual(saidVersions([said("1.2"), { said: null }, said("1.2"), said(null, "0123456789abcdef")]), ["1.2", "0123456789ab"]);
  assert.equal(saidText({ version: "1.2", commit: "abc", more: { branch: "main" } }), "1.2, commit abc, branch=main");
});
