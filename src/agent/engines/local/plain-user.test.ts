import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";

/** The user that every system has for what needs no rights. */
const nobody = 65_534;

test("the local engine works as a user without privileges", {
  skip: process.getuid?.() !== 0 && "not root, so all other tests show it",
}, async () => {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, [join(import.meta.dirname, "testing", "plain-user.ts")], {
    uid: nobody,
    gid: nobody,
    cwd: "/",
    env: { ...env, HOME: "/tmp" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  assert.equal(code, 0, output);
});
