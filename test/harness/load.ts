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

/** Steady requests on keep-alive connections, open-loop: slow answers do not slow it down. */
export function startLoad({ port, host, path = "/", perSecond, slowEvery = 0, slowPath = "/slow", keepAlive = true }: LoadOptions): Load {
  const agent = new http.Agent({ keepAlive, maxSockets: 512 });
  const load = startAsking(perSecond, async (number) => {
    const slow = slowEvery > 0 && number % slowEvery === 0;
    const { status, body } = await request({
      port,
      method: "GET",
      path: slow ? slowPath : path,
      headers: { host },
      agent,
      timeoutMs: 40_000,
    });
    return status === 200 ? null : `${status} ${body.slice(0, 200)}`;
  });
  const stop = async () => {
    const report = await load.stop();
    agent.destroy();
    return report;
  };
  return { ...load, stop, [Symbol.asyncDispose]: async () => void (await stop()) };
}

/** Steady questions of any kind, open-loop. @param ask what is wrong with the answer in words; throws if there is none */
export function startAsking(perSecond: number, ask: (number: number) => Promise<string | null>): Load {
  const failures: string[] = [];
  const failedFromMs: number[] = [];
  const open = new Set<Promise<void>>();
  let sent = 0;
  let answered = 0;
  let running = true;

  const askOne = async (number: number) => {
    const startedAt = performance.now();
    const fail = (why: string) => {
      failedFromMs.push(startedAt);
      failures.push(`question ${number} after ${Math.round(performance.now() - startedAt)} ms: ${why}`);
    };
    try {
      const wrong = await ask(number);
      answered++;
      if (wrong !== null) fail(wrong);
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error));
    }
  };

  const pump = (async () => {
    const startedAt = performance.now();
    while (running) {
      const due = Math.floor(((performance.now() - startedAt) / 1_000) * perSecond);
      while (sent < due) {
        const asked: Promise<void> = askOne(++sent).finally(() => open.delete(asked));
        open.add(asked);
      }
      await delay(5);
    }
  })();

  const stop = async () => {
    running = false;
    await pump;
    await Promise.all(open);
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
