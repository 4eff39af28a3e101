import { DatabaseSync, type StatementSync } from "node:sqlite";
import { type OpenDatabase, openDatabase } from "../sqlite-database.ts";

/** How the n-th call of SQLite fails: with which result code, and whether it was done all the same (as a write is when only its fsync failed). */
export interface Failure {
  readonly at: number;
  readonly code: number;
  readonly isDone: boolean;
}

/** Opens real databases of which one call, counted over all statements that write, fails. */
export function failingDatabases({ at, code, isDone }: Failure): { readonly open: OpenDatabase; readonly hasFailed: () => boolean } {
  let calls = 0;
  const attempt = <T>(call: () => T): T => {
    if (++calls !== at) return call();
    if (isDone) call();
    throw Object.assign(new Error("injected failure"), { code: "ERR_SQLITE_ERROR", errcode: code, errstr: "injected failure" });
  };

  class FailingDatabase extends DatabaseSync {
    override exec(sql: string): void {
      attempt(() => super.exec(sql));
    }

    override prepare(sql: string): StatementSync {
      const statement = super.prepare(sql);
      const run = statement.run.bind(statement);
      statement.run = ((...values: Parameters<StatementSync["run"]>) => attempt(() => run(...values))) as StatementSync["run"];
      return statement;
    }
  }
  return {
    open: (file, options) => (options.readOnly ? openDatabase(file, options) : new FailingDatabase(file)),
    hasFailed: () => calls >= at,
  };
}
