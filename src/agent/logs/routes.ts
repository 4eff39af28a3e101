import type { LinkRoutes } from "#link/serve.ts";
import type { TailMasked } from "#model/log-event.ts";
import { readKeepRules, readLogContext, readLogCount, readLogSearch, readLogTail, readTailMasks } from "./log-bodies.ts";
import type { LogStore } from "./log-store.ts";

/** What an agent serves of its logs besides the lines themselves; the table is in `model/link.ts`. */
export function logRoutes(store: Pick<LogStore, "searches" | "unsent" | "keep" | "kept">): LinkRoutes {
  const { searches } = store;
  return {
    "GET /logs/kept": () => store.kept(),
    "PUT /logs/keep": async (call) => {
      await store.keep(readKeepRules(await call.body()));
      return null;
    },
    "POST /logs/search": async (call) => searches.search(readLogSearch(await call.body()), call.signal),
    "POST /logs/count": async (call) => searches.count(readLogCount(await call.body()), call.signal),
    "POST /logs/context": async (call) => searches.context(readLogContext(await call.body()), call.signal),
    "POST /logs/tail": async (call) => {
      await call.lines(searches.tail(readLogTail(await call.body()), call.signal));
      return undefined;
    },
    "PUT /logs/tail/masks": async (call): Promise<TailMasked> => ({ isRead: searches.remask(readTailMasks(await call.body())) }),
    "POST /logs/unsent": async (call) => {
      const { readUnsentQuestion } = await import("./shipping/unsent-bodies.ts");
      return (await store.unsent()).wait(readUnsentQuestion(await call.body()), call.signal);
    },
    "POST /logs/unsent/read": async (call) => {
      const { readUnsentRead } = await import("./shipping/unsent-bodies.ts");
      return (await store.unsent()).read(readUnsentRead(await call.body()), call.signal);
    },
  };
}
