import http from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { request } from "./drover.ts";

export interface LoadReport {
  readonly sent: number;
  readonly answered: number;
  /** Requests without an answer, or with one other than wanted, in words. */
  readonly failures: readonly string[];
  /** When those that failed were begun, by `performance.now()`. */
  readonly failedFromMs: readonly number[];
}

export interface LoadOptions {
  readonly port: number;
  readonly host: string;
  readonly path?: string;
  readonly perSecond: number;
  /** Each `n`-th request asks `slowPath` instead; 0: none. */
  readonly slowEvery?: number;
  readonly slowPath?: string;
  /** Whether connections are used again; by default they are. */
  readonly keepAlive?: boolean;
}

export interface Load extends AsyncDisposable {
  /** No new requests; resolves when those that are open have ended. */
  readonly stop: () => Promise<LoadReport>;
  /** Requests begun so far. */
  readonly sent: () => number;
}

/** A steady, open-loop load on keep-alive connections: slow answers do not slow it down. Ends all of it with `stop`. */
export function startLoad({ port, host, path = "/", perSecond, slowEvery = 0, slowPath = "/slow", keepAlive = true }: LoadOptions): Load {
  const agent = new http.Agent({ keepAlive, maxSockets: 512 });
  const failures: string[] = [];
  const failedFromMs: number[] = [];
  const open = new Set<Promise<void>>();
  let sent = 0;
  let answered = 0;
  let running = true;

  const ask = async (number: number) => {
    const slow = slowEvery > 0 && number % slowEvery === 0;
    const startedAt = performance.now();
    try {
      const answer = await request({ port, method: "GET", path: slow ? slowPath : path, headers: { host }, agent, timeoutMs: 40_000 });
      answered++;
      if (answer.status === 200) return;
      failedFromMs.push(startedAt);
      failures.push(`request ${number}: ${answer.status} ${answer.body.slice(0, 200)}`);
    } catch (error) {
      failedFromMs.push(startedAt);
      failures.push(
        `request ${number}${slow ? " (slow)" : ""} after ${Math.round(performance.now() - startedAt)} ms: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  };

  const pump = (async () => {
    const startedAt = performance.now();
    while (running) {
      const due = Math.floor(((performance.now() - startedAt) / 1_000) * perSecond);
      while (sent < due) {
        const asked: Promise<void> = ask(++sent).finally(() => open.delete(asked));
        open.add(asked);
      }
      await delay(5);
    }
  })();

  const stop = async () => {
    running = false;
    await pump;
    await Promise.all(open);
    agent.destroy();
    return { sent, answered, failures, failedFromMs };
  };
  return {
    stop,
    sent: () => sent,
    // A test that fails must not leave its load running.
    [Symbol.asyncDispose]: async () => {
      await stop();
    },
  };
}
