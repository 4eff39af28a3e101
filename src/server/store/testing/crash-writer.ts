/**
 * A program that writes to a store until it is killed: `crash-writer.ts FOLDER endless|scenario`. It prints a line for each commit that was
 * acknowledged, before anything else can happen. Each transaction writes two keys with the same value, so that half of one would show.
 *
 * `endless` writes until it is stopped; `scenario` writes, compacts, backs up, restores and writes again, and passes every failpoint of the store.
 */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { createLog } from "#host/log.ts";
import { backUp } from "../backups.ts";
import { openSqliteStore } from "../sqlite-store.ts";
import type { Store } from "../store.ts";
import { restoreBackup } from "./restore-backup.ts";

/** Exit status when the store said that nobody knows what is on the disk. */
const fatalStatus = 70;
const writers = 4;

const log = createLog({ print: () => {}, nowMs: Date.now });
const [folder = "", mode] = process.argv.slice(2);
const say = (line: string) => writeSync(1, `${line}\n`);
const open = () =>
  openSqliteStore({
    folder,
    log,
    random: Math.random,
    reserveBytes: 256 * 1024,
    fatal: () => process.exit(fatalStatus),
    retention: { revisions: 100, bytes: 1024 * 1024, memoryBytes: 64 * 1024 },
  });

const padding = "x".repeat(500);

async function write(store: Store, writer: number, times: number): Promise<void> {
  const last = store.get(`/left/${writer}`);
  let number = last === null ? 0 : Number.parseInt(Buffer.from(last.value).toString(), 10);
  for (let n = 0; n < times; n++) {
    number++;
    const value = Buffer.from(`${number} ${padding}`);
    const { revision } = await store.commit({
      changes: [
        { kind: "put", key: `/left/${writer}`, value },
        { kind: "delete", key: `/gone/${writer}` },
        { kind: "put", key: `/right/${writer}`, value },
        { kind: "put", key: `/new/${writer}/${number}`, value: Buffer.from("") },
        { kind: "delete", key: `/new/${writer}/${number - 3}` },
      ],
    });
    say(`${writer} ${number} ${revision}`);
  }
}

const writeAll = (store: Store, times: number) => Promise.all(Array.from({ length: writers }, (_, writer) => write(store, writer, times)));

const store = await open();
say("open");
if (mode === "endless") await writeAll(store, Number.POSITIVE_INFINITY);
await writeAll(store, 300);
await store.compact(store.revision - 5);
const backup = await backUp(store, join(folder, "backups"));
await store.close();
if (backup !== null) await restoreBackup({ folder, from: backup.file, log });
const again = await open();
await writeAll(again, 5);
await again.close();
say("done");
