import { createMemoryJournal, type MemoryJournal } from "./memory-journal.ts";
import { openMemoryStore } from "./memory-store.ts";
import { type OpenStore, storeContract } from "./testing/store-contract.ts";

storeContract("memory", {
  async open(context, options = {}) {
    const open = (journal: MemoryJournal): OpenStore => {
      const store = openMemoryStore({ random: () => 0.25, journal, ...options });
      context.after(() => store.close());
      return {
        store,
        async reopen() {
          await store.close();
          return open(journal.reopened());
        },
      };
    };
    return open(createMemoryJournal(() => 0.25));
  },
});
