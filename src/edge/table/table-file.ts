import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import { errorFields } from "#host/log.ts";
import type { Clock } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { RoutingTable } from "#model/routing-table.ts";
import { readTable } from "./read-table.ts";
import type { Table } from "./table.ts";

/** Changes that come within this time are written once: a rollout makes dozens, and the disk is not on the way of any of them. */
const coalesceMs = 50;
/** Routes turned into text between two turns of the loop: well under a millisecond. */
const routesAtOnce = 100;
/** After a failed write: a full disk stays full for a while. */
const retryMs = 5_000;

export function tableFile(folder: string): string {
  return join(folder, "table.json");
}

/** The last table that was in force, or null if there is none that can be read: then the edge waits for the server's. */
export async function loadTable(folder: string, log: Log): Promise<RoutingTable | null> {
  const text = await readTextIfThere(tableFile(folder));
  if (text === null) return null;
  try {
    return readTable(JSON.parse(text));
  } catch (error) {
    log.error("the last table on disk cannot be read; waiting for the server's", { file: tableFile(folder), ...errorFields(error) });
    return null;
  }
}

/** Keeps the file at what the table is, behind its changes. */
export class TableWriter {
  readonly #table: Table;
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  #isDirty = false;
  #writing: Promise<void> | null = null;

  constructor(options: {
    readonly table: Table;
    readonly folder: string;
    readonly clock: Clock;
    readonly log: Log;
    readonly signal: AbortSignal;
  }) {
    this.#table = options.table;
    this.#folder = options.folder;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#signal = options.signal;
  }

  changed(): void {
    this.#isDirty = true;
    this.#writing ??= this.#writeWhileDirty().finally(() => {
      this.#writing = null;
    });
  }

  /** Resolves when everything that changed so far is on disk, or the signal has aborted and the last attempt is over. */
  async flushed(): Promise<void> {
    await this.#writing;
  }

  async #writeWhileDirty(): Promise<void> {
    let waitMs = coalesceMs;
    while (this.#isDirty) {
      // On the way out there is nothing to wait for: what is dirty is written at once.
      await this.#clock.sleep(waitMs, this.#signal).catch((error: unknown) => {
        if (!this.#signal.aborted) throw error;
      });
      this.#isDirty = false;
      try {
        await writeFileAtomic(tableFile(this.#folder), await this.#text());
        waitMs = coalesceMs;
      } catch (error) {
        this.#log.error("writing the table failed; traffic goes on", errorFields(error));
        if (this.#signal.aborted) return;
        this.#isDirty = true;
        waitMs = retryMs;
      }
    }
  }

  /** One route a line, made in slices so that no request waits for a large table. */
  async #text(): Promise<string> {
    const { epoch, revision } = this.#table.version;
    const routes = this.#table.routes();
    const lines: string[] = [];
    for (let at = 0; at < routes.length; at += routesAtOnce) {
      for (const route of routes.slice(at, at + routesAtOnce)) lines.push(JSON.stringify(route));
      await nextTurn();
    }
    return `{"epoch":${epoch},"revision":${revision},"routes":[\n${lines.join(",\n")}\n]}\n`;
  }
}
