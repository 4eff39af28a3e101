import type { DatabaseSync } from "node:sqlite";
import { failpoint } from "#host/failpoint.ts";
import { DroverError } from "#model/errors.ts";
import { checksumOfMeta, Damage } from "./records.ts";
import { inTransaction } from "./sqlite-database.ts";

/**
 * One step each, in order, each in a transaction of its own; a step is never changed once it was released. Steps expand first and contract a
 * version later, so that the version before can still open what this one wrote.
 */
const migrations: readonly ((database: DatabaseSync) => void)[] = [
  (database) => {
    database.exec(metaTable);
    database.exec(versionsTable);
  },
];

const metaTable = "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL, checksum INTEGER NOT NULL) STRICT, WITHOUT ROWID";
// A rowid table: rows of 1 kB with their place as the rowid are appended to full leaf pages, without overflow pages. The value comes last, so
// that what a compaction reads is found without walking through it.
const versionsTable =
  "CREATE TABLE versions (place INTEGER PRIMARY KEY, key TEXT NOT NULL, create_revision INTEGER NOT NULL, version INTEGER NOT NULL, " +
  "previous_place INTEGER NOT NULL, checksum INTEGER NOT NULL, value BLOB) STRICT";

export const schemaVersion = migrations.length;

export interface Meta {
  readonly schema: number;
  readonly epoch: number;
  readonly term: number;
  readonly installation: string;
  readonly compactedRevision: number;
}

/** Brings a database up to this version's schema. `created` is what a new one begins with: a database has it as soon as it has tables. */
export function migrate(database: DatabaseSync, from: number, created: Partial<Meta> = {}, steps = migrations): void {
  for (const [index, step] of steps.entries()) {
    if (index < from) continue;
    failpoint("store.migrate.before");
    inTransaction(database, () => {
      step(database);
      writeMeta(database, { ...(index === 0 ? created : {}), schema: index + 1 });
      failpoint("store.migrate.open");
    });
    failpoint("store.migrate.after");
  }
}

export function writeMeta(database: DatabaseSync, meta: Partial<Meta>): void {
  const statement = database.prepare("INSERT OR REPLACE INTO meta (name, value, checksum) VALUES (?, ?, ?)");
  for (const [name, value] of Object.entries(meta)) statement.run(name, String(value), checksumOfMeta(name, String(value)));
}

/** Whether anything was ever made in this database. */
export function isEmpty(database: DatabaseSync): boolean {
  return database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
}

/** @throws {DroverError} STORE_TOO_NEW @throws {Damage} if it is not as it was written. */
export function readMeta(database: DatabaseSync): Meta {
  const values = new Map<string, string>();
  for (const { name, value, checksum } of database.prepare("SELECT name, value, checksum FROM meta").all()) {
    if (typeof name !== "string" || typeof value !== "string" || checksumOfMeta(name, value) !== checksum)
      throw new Damage(`the entry "${String(name)}" of table meta does not fit its checksum`);
    values.set(name, value);
  }
  const text = (name: string) => {
    const value = values.get(name);
    if (value === undefined) throw new Damage(`table meta has no entry "${name}"`);
    return value;
  };
  const meta = {
    schema: Number(text("schema")),
    epoch: Number(text("epoch")),
    term: Number(text("term")),
    installation: text("installation"),
    compactedRevision: Number(text("compactedRevision")),
  };
  if (meta.schema > schemaVersion) {
    throw new DroverError("STORE_TOO_NEW", `the store has schema ${meta.schema}, and this Drover knows schemas up to ${schemaVersion}`, {
      hint: "Start the Drover that wrote it, or a newer one.",
      details: { schema: meta.schema, known: schemaVersion },
    });
  }
  return meta;
}

/** @throws {Damage} if the tables are not the ones that were made. */
export function checkTables(database: DatabaseSync): void {
  const tables = new Map(
    database
      .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table'")
      .all()
      .map(({ name, sql }) => [name, sql]),
  );
  for (const [name, sql] of [
    ["meta", metaTable],
    ["versions", versionsTable],
  ] as const) {
    if (tables.get(name) !== sql) throw new Damage(`the description of table ${name} is not what was written`);
  }
}
