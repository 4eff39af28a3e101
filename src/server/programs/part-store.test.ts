import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { systemClock } from "#host/clock.ts";
import { openPartStore } from "./part-store.ts";

const never = new AbortController().signal;

test("a part that two send at once is whole, also where one of them is cut off", async () => {
  const folder = await mkdtemp(join(tmpdir(), "drover-parts-"));
  try {
    const parts = openPartStore(folder, systemClock);
    const content = Buffer.alloc(300_000, "programs");
    const digest = createHash("sha256").update(content).digest("hex");
    const slow = new PassThrough();
    slow.write(content.subarray(0, 1_000));
    const other = parts.put(digest, slow, never);
    await parts.put(digest, Readable.from([content]), never);
    slow.destroy(new Error("cut off"));
    await assert.rejects(other, /cut off/);
    assert.deepEqual(await buffer(await parts.read(digest)), content);
    assert.deepEqual(await readdir(folder), [digest]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
