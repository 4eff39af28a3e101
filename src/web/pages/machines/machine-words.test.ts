import assert from "node:assert/strict";
import { test } from "node:test";
import { labelChange } from "./machine-words.ts";

test("labels that are written anew become what is set and what goes, and the words of the command for it", () => {
  assert.deepEqual(labelChange({ zone: "a", disk: "hdd" }, " zone=a  disk=ssd\nrack=7 "), {
    labels: { disk: "ssd", rack: "7" },
    words: ["disk=ssd", "rack=7"],
  });
  assert.deepEqual(labelChange({ zone: "a" }, ""), { labels: { zone: null }, words: ["zone-"] });
  assert.deepEqual(labelChange({ zone: "a" }, "zone=a"), { labels: {}, words: [] });
});

test("a word that is no label is none", () => {
  for (const text of ["zone", "zone=", "=a", "zone=a disk"]) assert.equal(labelChange({}, text), null, text);
});
