import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { formatTarget, parseTarget } from "#model/ssh-target.ts";
import { readTargets, requireTargets } from "./read-targets.ts";

test("a file has one host a line, with its labels, and says in which line it cannot be read", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "drover-targets-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, "hosts");
  await writeFile(file, "# the rack\nops@10.0.0.11 zone=a disk=ssd\n\nm2=10.0.0.12 # by the door\n");
  const targets = await readTargets(file, { zone: "c" });
  assert.deepEqual(
    targets.map((target) => [formatTarget(target), target.labels]),
    [
      ["ops@10.0.0.11", { zone: "a", disk: "ssd" }],
      ["m2=10.0.0.12", { zone: "c" }],
    ],
  );
  await writeFile(file, "ops@10.0.0.11\nops@\n");
  await assert.rejects(readTargets(file, {}), { code: "USAGE", message: `${file}:2: "ops@" is no host` });
  await assert.rejects(readTargets(join(folder, "gone"), {}), { code: "USAGE" });
});

test("a host or a name that is given twice is refused before anything is done", () => {
  assert.throws(() => requireTargets([]), { code: "USAGE" });
  assert.throws(() => requireTargets(["a@h", "b@h"].map((text) => parseTarget(text))), { message: '"h" is named twice' });
  assert.throws(() => requireTargets(["m=h", "m=i"].map((text) => parseTarget(text))), { message: '"m" is named twice' });
  requireTargets(["h:22", "h:23", "m=i"].map((text) => parseTarget(text)));
});
