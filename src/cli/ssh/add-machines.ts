import { errorFields } from "#host/log.ts";
import { DroverError, type ErrorBody, toErrorBody } from "#model/errors.ts";
import type { Target } from "#model/ssh-target.ts";
import type { Added } from "#ssh/add-machine.ts";
import { type Copied, nothingCopied } from "#ssh/copy-parts.ts";

export interface HostOutcome {
  readonly target: Target;
  readonly machine: string | null;
  readonly already: boolean;
  readonly copied: Copied;
  /** Null: it is a machine now. */
  readonly failure: ErrorBody | null;
  readonly tookMs: number;
}

export interface AddAllOptions {
  readonly parallel: number;
  readonly add: (target: Target, signal: AbortSignal) => Promise<Added>;
  readonly monotonicMs: () => number;
  /** Called as each ends. */
  readonly onEnd: (outcome: HostOutcome) => Promise<void>;
}

/**
 * Adds hosts next to each other, so many at once; what goes wrong with one is that one's affair.
 * @returns in the order of the targets
 * @throws {Error} a defect, or the signal's reason, once all that were under way have ended
 */
export async function addMachines(
  targets: readonly Target[],
  { parallel, add, monotonicMs, onEnd }: AddAllOptions,
  signal: AbortSignal,
): Promise<readonly HostOutcome[]> {
  const outcomes = new Map<Target, HostOutcome>();
  const waiting = [...targets];
  const defects: unknown[] = [];
  const work = async () => {
    for (let target = waiting.shift(); target !== undefined && !signal.aborted && defects.length === 0; target = waiting.shift()) {
      const startedMs = monotonicMs();
      const end = async (rest: Pick<HostOutcome, "machine" | "already" | "copied" | "failure">) => {
        const outcome = { target, ...rest, tookMs: monotonicMs() - startedMs };
        outcomes.set(target, outcome);
        await onEnd(outcome);
      };
      try {
        await end({ ...(await add(target, signal)), failure: null });
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof DroverError)) {
          defects.push(error);
          return;
        }
        // With its causes: the body of an error has its own words alone.
        const failure = { ...toErrorBody(error), message: String(errorFields(error)["error"]) };
        await end({ machine: null, already: false, copied: nothingCopied, failure });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, targets.length) }, work));
  signal.throwIfAborted();
  if (defects.length > 0) throw defects[0];
  return targets.flatMap((target) => outcomes.get(target) ?? []);
}
