import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog } from "#host/log.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import { type OpenStore, storeContract } from "./testing/store-contract.ts";

const log = createLog({ print: () => {}, nowMs: () => 0 });

storeContract("sqlite", {
  async open(context, options = {}) {
    const folder = await mkdtemp(join(tmpdir(), "drover-store-"));
    context.after(() => rm(folder, { recursive: true }));
    const open = async (): Promise<OpenStore> => {
      const store = await openSqliteStore({
        folder,
        log,
        random: Math.random,
        reserveBytes: 256 * 1024,
        fatal: (error) => {
          throw error;
        },
        ...options,
      });
      context.after(() => store.close());
      return {
        store,
        async reopen() {
          await store.close();
          return open();
        },
      };
    };
    return open();
  },
});
