import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { FailpointError, makeFailpoint } from "./failpoint.ts";
import { failpointNames } from "./testing/failpoint-names.ts";

test("a failpoint that is off does nothing", () => {
  const failpoint = makeFailpoint("", () => assert.fail("signalled"));
  failpoint("store.commit.before");
});

test("a failpoint acts at the n-th time that it is reached, and only then", () => {
  const signals: string[] = [];
  const failpoint = makeFailpoint("a.b=kill@3, c=freeze", (signal) => signals.push(signal));
  failpoint("a.b");
  failpoint("c");
  failpoint("a.b");
  assert.deepEqual(signals, ["SIGSTOP"]);
  failpoint("a.b");
  failpoint("a.b");
  assert.deepEqual(signals, ["SIGSTOP", "SIGKILL"]);
});

test("an error failpoint throws", () => {
  const failpoint = makeFailpoint("a=error", () => assert.fail("signalled"));
  assert.throws(() => failpoint("a"), FailpointError);
  failpoint("a");
});

test("a setting that cannot be read is refused, so that no test passes by breaking nothing", () => {
  for (const spec of ["a", "a=", "a=boom", "a=kill@0", "a=kill@x", "A=kill", ","])
    assert.throws(() => makeFailpoint(spec, () => {}), /DROVER_FAILPOINTS/, spec);
});

test("a kill ends the process before the next line of code", () => {
  const script = `import { failpoint } from ${JSON.stringify(join(import.meta.dirname, "failpoint.ts"))};
    process.stdout.write("before"); failpoint("here"); process.stdout.write("after");`;
  const child = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    env: { ...process.env, DROVER_FAILPOINTS: "here=kill" },
    encoding: "utf8",
  });
  assert.equal(child.signal, "SIGKILL");
  assert.equal(child.stdout, "before");
});

test("every failpoint of the sources has a name of its own", async () => {
  const names = await failpointNames(join(import.meta.dirname, ".."));
  assert.equal(new Set(names).size, names.length);
});
