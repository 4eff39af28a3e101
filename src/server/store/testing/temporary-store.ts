import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { createLog } from "#host/log.ts";
import { openSqliteStore, type SqliteStoreOptions } from "../sqlite-store.ts";
import type { Store } from "../store.ts";

export const silentLog = createLog({ print: () => {}, nowMs: () => 0 });

/** A folder that is removed when the test ends. */
export async function temporaryFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "drover-store-"));
  context.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Opens the store in `folder` with a small reserve, so that a test can make many. Whoever opens it closes it. */
export function openIn(folder: string, options: Partial<SqliteStoreOptions> = {}): Promise<Store> {
  return openSqliteStore({ folder, log: silentLog, random: Math.random, fatal: assert.ifError, reserveBytes: 256 * 1024, ...options });
}
