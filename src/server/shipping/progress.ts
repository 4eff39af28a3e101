import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import { isLogPlace, type LogPlaces } from "#model/log-shipping.ts";
import type { MachineId, SpaceName } from "#model/names.ts";
import { isCount, isNumber, isRecord, parseJson } from "#model/shape.ts";

/** How far a destination is with the lines of one machine, as its file has it. */
export interface Progress {
  /** Since when it gets lines; another moment means another receiver, which begins anew. */
  readonly sinceMs: number;
  readonly places: LogPlaces;
  /** Events that were taken, and those that the receiver refused. */
  readonly sent: number;
  readonly refused: number;
  /** Lines that were gone before they were sent. */
  readonly lostLines: number;
  readonly sentAtMs: number | null;
}

export function noProgress(sinceMs: number): Progress {
  return { sinceMs, places: {}, sent: 0, refused: 0, lostLines: 0, sentAtMs: null };
}

/** Files `<space>/<destination>/<machine>.json`. Not in the store, because they change with every batch. */
export class ProgressFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Of another receiver, or of a file that a power cut damaged, nothing is known: what was sent already may then be sent again. */
  async read(space: SpaceName, name: string, machine: MachineId, sinceMs: number): Promise<Progress> {
    const stored = parseJson((await readTextIfThere(this.#fileOf(space, name, machine))) ?? "");
    return isProgress(stored) && stored.sinceMs === sinceMs ? stored : noProgress(sinceMs);
  }

  async write(space: SpaceName, name: string, machine: MachineId, progress: Progress): Promise<void> {
    await mkdir(join(this.#folder, space, name), { recursive: true, mode: 0o700 });
    await writeFileAtomic(this.#fileOf(space, name, machine), JSON.stringify(progress));
  }

  /** Forgets destinations that are none any more. */
  async sweep(keeps: (space: string, name: string) => boolean): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    for (const space of await readdir(this.#folder)) {
      for (const name of await readdir(join(this.#folder, space)))
        if (!keeps(space, name)) await rm(join(this.#folder, space, name), { recursive: true, force: true });
    }
  }

  #fileOf(space: SpaceName, name: string, machine: MachineId): string {
    return join(this.#folder, space, name, `${encodeURIComponent(machine)}.json`);
  }
}

function isProgress(value: unknown): value is Progress {
  if (!isRecord(value) || !isRecord(value["places"])) return false;
  const { sinceMs, places, sent, refused, lostLines, sentAtMs } = value;
  return (
    isNumber(sinceMs) &&
    [sent, refused, lostLines].every(isCount) &&
    (sentAtMs === null || isNumber(sentAtMs)) &&
    Object.values(places as object).every(isLogPlace)
  );
}
