import { join } from "node:path";

/** The files of a store below its folder. */
export function storeFiles(folder: string) {
  return {
    database: join(folder, "store.db"),
    log: join(folder, "store.db-wal"),
    index: join(folder, "store.db-shm"),
    witness: join(folder, "store.witness"),
    lost: join(folder, "store.lost"),
    remembered: join(folder, "store.remembered"),
    reserve: join(folder, "store.reserve"),
    backups: join(folder, "backups"),
  };
}
