import { errorFields } from "#host/log.ts";
import type { Log } from "#model/log.ts";

/** Work that goes on behind an action. Nothing floats: it is waited for in `settle`, and what fails in it is said. */
export interface Background {
  goOn(what: string, task: () => Promise<void>, fields?: Readonly<Record<string, string>>): void;
  settle(): Promise<void>;
}

/** @param closing once aborted, failures are only the echo of that. */
export function createBackground(log: Log, closing: AbortSignal): Background {
  const running = new Set<Promise<void>>();
  return {
    goOn: (what, task, fields = {}) => {
      const done = task()
        .catch((error: unknown) => {
          if (!closing.aborted) log.error(what, { ...fields, ...errorFields(error) });
        })
        .finally(() => running.delete(done));
      running.add(done);
    },
    settle: async () => {
      await Promise.all(running);
    },
  };
}
