import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { writeBackup } from "./backup-file.ts";
import { temporaryFolder } from "./testing/temporary-store.ts";

test("a backup that begins inside a transaction waits for its end", async (t) => {
  const folder = await temporaryFolder(t);
  using database = new DatabaseSync(join(folder, "store.db"));
  database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; CREATE TABLE things (name TEXT); BEGIN IMMEDIATE");
  database.exec("INSERT INTO things VALUES ('one')");
  const copy = join(folder, "backup.db");
  const written = writeBackup(database, copy);
  for (let turn = 0; turn < 20; turn++) await setImmediate();
  database.exec("COMMIT");
  await written;
  using opened = new DatabaseSync(copy, { readOnly: true });
  assert.deepEqual(
    opened
      .prepare("SELECT name FROM things")
      .all()
      .map(({ name }) => name),
    ["one"],
  );
});

test("a backup that cannot be written says why, and leaves nothing behind", async (t) => {
  const folder = await temporaryFolder(t);
  using database = new DatabaseSync(join(folder, "store.db"));
  await assert.rejects(writeBackup(database, join(folder, "not-there", "backup.db")), { code: "ERR_SQLITE_ERROR", errcode: 14 });
});
