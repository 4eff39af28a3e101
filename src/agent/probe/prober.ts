import { type Clock, pause } from "#model/clock.ts";
import type { Probe, Reason } from "#model/workload.ts";
import { startingWaitMs, steadyWaitMs } from "./schedule.ts";
import { nextVerdict, type Verdict } from "./verdict.ts";

/** What a look at an instance found; null: it is well. */
export type Look = (signal: AbortSignal) => Promise<Reason | null>;

export interface ProberOptions {
  /** Whether it was ready when it was last looked at. */
  readonly isReady: boolean;
  readonly ready: Look;
  /** How often to look once it was ready, and how many failures in a row make it not ready. */
  readonly readyRule: Pick<Probe, "everyMs" | "failures">;
  /** Null: an instance lives as long as its process. */
  readonly alive: Look | null;
  readonly aliveRule: Pick<Probe, "everyMs" | "failures">;
  readonly onReady: (ready: boolean, reason: Reason | null) => void;
  readonly onDead: (reason: Reason) => void;
  readonly clock: Clock;
  readonly random: () => number;
}

/**
 * Asks whether one instance is ready and, apart from that, whether it is alive, until the signal aborts. Whether it is alive is asked from the
 * time on that it was ready first: before, it is starting, and a slow start is no death.
 */
export async function runProber(options: ProberOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, ready, readyRule, alive, onReady } = options;
  const startedAtMs = clock.monotonicMs();
  let verdict: Verdict = { good: options.isReady, failures: 0 };
  let aliveLoop: Promise<void> | null = null;
  for (let attempt = 0; !signal.aborted; attempt++) {
    const reason = await ready(signal);
    if (signal.aborted) break;
    const before = verdict.good;
    verdict = nextVerdict(verdict, reason === null, readyRule.failures);
    if (verdict.good !== before || (!verdict.good && reason !== null)) onReady(verdict.good, reason);
    if (verdict.good && aliveLoop === null && alive !== null) aliveLoop = watchAlive(options, alive, signal);
    const waitMs =
      aliveLoop !== null || verdict.good || before
        ? steadyWaitMs(readyRule.everyMs, random())
        : startingWaitMs(attempt, clock.monotonicMs() - startedAtMs, readyRule.everyMs);
    await pause(clock, waitMs, signal);
  }
  await aliveLoop;
}

async function watchAlive({ aliveRule, onDead, clock, random }: ProberOptions, alive: Look, signal: AbortSignal): Promise<void> {
  let verdict: Verdict = { good: true, failures: 0 };
  while (!signal.aborted) {
    await pause(clock, steadyWaitMs(aliveRule.everyMs, random()), signal);
    if (signal.aborted) return;
    const reason = await alive(signal);
    if (signal.aborted) return;
    verdict = nextVerdict(verdict, reason === null, aliveRule.failures);
    if (!verdict.good && reason !== null) return onDead(reason);
  }
}
