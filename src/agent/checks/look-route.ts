import type { LinkRoutes } from "#link/serve.ts";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { LookAnswer, LookOrder } from "#model/look.ts";
import type { AppId } from "#model/names.ts";
import { isCount, isRecord, isText } from "#model/shape.ts";
import type { RunLook } from "./run-command.ts";

/** Looks under way at once; more would be a server that has lost count. */
const mostLooks = 32;
/** A list of some thousand machines is below a tenth of it. */
const longestAnswer = 4 * 2 ** 20;
/** Of a command line, or of one value of its environment. */
const longestText = 65_536;

/** Runs commands that look, and ends them with their caller. @param userOf the user of an app; null: our own */
export function lookRoutes(run: RunLook, userOf: (app: AppId) => Promise<number | null>, clock: Clock): LinkRoutes {
  let underWay = 0;
  return {
    "POST /looks": async (call) => {
      const order = await call.body();
      if (!isOrder(order)) throw new DroverError("REQUEST_INVALID", "the order is no command that looks");
      if (underWay >= mostLooks) throw new DroverError("OVERLOADED", `${mostLooks} commands that look are under way already`);
      underWay++;
      const over = new AbortController();
      const ended = new AbortController();
      const timer = pause(clock, order.timeoutMs, AbortSignal.any([call.signal, ended.signal])).then(() => over.abort());
      try {
        const signal = AbortSignal.any([call.signal, over.signal]);
        const uid = await userOf(order.app);
        const { exitCode, answer, isAnswerCut, output } = await run(
          order.run,
          order.env,
          { uid, longestAnswer: order.longestAnswer },
          signal,
        );
        return { exitCode, answer, isAnswerCut, output } satisfies LookAnswer;
      } finally {
        ended.abort();
        await timer;
        underWay--;
      }
    },
  };
}

function isOrder(it: unknown): it is LookOrder {
  return (
    isRecord(it) &&
    isText(it["app"]) &&
    isText(it["run"], longestText) &&
    isRecord(it["env"]) &&
    Object.values(it["env"]).every((value) => isText(value, longestText)) &&
    isCount(it["timeoutMs"]) &&
    isCount(it["longestAnswer"]) &&
    it["longestAnswer"] <= longestAnswer
  );
}
