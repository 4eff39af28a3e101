import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { FigureStore } from "../figures/figure-store.ts";
import { finest } from "../figures/levels.ts";
import { collectMetrics, type Heard, type Measured } from "./collect.ts";
import { Moment } from "./moment.ts";

/** Has the store follow all figures, one at each step of the wall clock, until the signal aborts. */
export async function followFigures(
  {
    clock,
    log,
    ...measured
  }: Omit<Measured, "sees" | "figures"> & { readonly figures: FigureStore; readonly clock: Clock; readonly log: Log },
  signal: AbortSignal,
): Promise<void> {
  let before: Heard | null = null;
  while (!signal.aborted) {
    await pause(clock, finest.stepMs - (clock.nowMs() % finest.stepMs), signal);
    if (signal.aborted) return;
    try {
      const moment = new Moment();
      const atMs = clock.nowMs();
      before = { atMs, ...(await collectMetrics({ ...measured, sees: () => true, before, onlyNew: true }, moment, signal)) };
      await measured.figures.append(atMs, moment.samples);
    } catch (error) {
      if (!signal.aborted) log.warn("figures of a moment were not collected", errorFields(error));
    }
  }
}
