import type { Journal, VersionRow } from "./journal.ts";
import { revisionOf } from "./journal.ts";

/** A journal without a disk, for simulations and tests. It outlives a store, so a simulated server can die and open it again with `reopened()`. */
export interface MemoryJournal extends Journal {
  /** The same journal as the next server finds it: one term later. */
  reopened(): MemoryJournal;
}

export function createMemoryJournal(random: () => number): MemoryJournal {
  const installation = Array.from({ length: 4 }, () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, "0"),
  ).join("");
  return journalOver({ rows: new Map(), installation, compactedRevision: 0 }, 1);
}

interface Kept {
  /** By place, in order. */
  readonly rows: Map<number, VersionRow>;
  readonly installation: string;
  compactedRevision: number;
}

function journalOver(kept: Kept, term: number): MemoryJournal {
  const { rows } = kept;

  function forget(upTo: number): void {
    for (const row of [...rows.values()]) {
      if (revisionOf(row.place) > upTo) break;
      if (revisionOf(row.place) <= kept.compactedRevision) continue;
      rows.delete(row.previousPlace);
      if (row.value === null) rows.delete(row.place);
    }
    kept.compactedRevision = upTo;
  }

  return {
    epoch: 1,
    term,
    installation: kept.installation,
    get compactedRevision() {
      return kept.compactedRevision;
    },
    load: () => rows.values(),
    async append(added, { compactTo }) {
      for (const row of added) rows.set(row.place, row);
      if (compactTo !== null) forget(compactTo);
    },
    async read(firstPlace, endPlace) {
      const found: { row: VersionRow; previous: VersionRow | null }[] = [];
      for (const row of rows.values()) {
        if (row.place >= firstPlace && row.place < endPlace) found.push({ row, previous: rows.get(row.previousPlace) ?? null });
      }
      return found;
    },
    async backup() {
      throw new Error("a journal in memory has no file to back up");
    },
    async close() {},
    reopened: () => journalOver(kept, term + 1),
  };
}
