import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { writeFileAtomic } from "#host/files.ts";
import type { Home } from "#host/home.ts";
import { DroverError, hasCode } from "#model/errors.ts";

export interface HomeLock {
  release(): Promise<void>;
}

/**
 * Makes sure that no other agent runs on this home. Node has no file locks of its own; SQLite's are the kernel's, so they go with the process,
 * however it ends, and no left-over file has to be told from a live one.
 * @throws {DroverError} HOME_IN_USE
 */
export async function lockHome(home: Home, notes: Readonly<Record<string, unknown>>): Promise<HomeLock> {
  const pidFile = join(home.run, "agent.json");
  const database = new DatabaseSync(join(home.run, "agent.lock"));
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (!(error instanceof Error) || !/locked|busy/.test(error.message)) throw error;
    throw new DroverError("HOME_IN_USE", `another Drover runs on "${home.root}"${await describePid(pidFile)}`, {
      hint: 'Stop it with "drover down", or use another folder with --home.',
    });
  }
  await writeFileAtomic(pidFile, `${JSON.stringify({ pid: process.pid, ...notes })}\n`, { durable: false });
  return {
    release: async () => {
      await rm(pidFile, { force: true });
      database.close();
    },
  };
}

async function describePid(pidFile: string): Promise<string> {
  try {
    return ` (pid ${(JSON.parse(await readFile(pidFile, "utf8")) as { readonly pid: number }).pid})`;
  } catch (error) {
    // It has the lock and has not written its pid yet.
    if (hasCode(error, "ENOENT")) return "";
    throw error;
  }
}
