import type { LinkRoutes } from "#link/serve.ts";
import { readLogContext, readLogCount, readLogSearch, readLogTail } from "./log-bodies.ts";
import type { LogSearches } from "./search/log-searches.ts";

/** What an agent serves of its logs besides the lines themselves; the table is in `model/link.ts`. */
export function logRoutes(searches: LogSearches): LinkRoutes {
  return {
    "POST /logs/search": async (call) => searches.search(readLogSearch(await call.body()), call.signal),
    "POST /logs/count": async (call) => searches.count(readLogCount(await call.body()), call.signal),
    "POST /logs/context": async (call) => searches.context(readLogContext(await call.body()), call.signal),
    "POST /logs/tail": async (call) => {
      await call.lines(searches.tail(readLogTail(await call.body()), call.signal));
      return undefined;
    },
  };
}
