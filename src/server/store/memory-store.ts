import { createStore } from "./core.ts";
import type { Retention } from "./history.ts";
import { createMemoryJournal, type MemoryJournal } from "./memory-journal.ts";
import type { Store } from "./store.ts";

/** A store without a disk, for simulations: the same rules over a journal in memory. Give `journal` to open what an earlier one left. */
export function openMemoryStore({
  random,
  journal = createMemoryJournal(random),
  fatal = (error) => {
    throw error;
  },
  ...options
}: {
  readonly random: () => number;
  readonly journal?: MemoryJournal;
  readonly fatal?: (error: unknown) => void;
  readonly retention?: Retention;
  readonly defer?: (work: () => void) => void;
}): Store {
  return createStore({ journal, fatal, ...options });
}
