import type { AdditionView, ToldAddition } from "#model/api-additions.ts";
import type { Clock } from "#model/clock.ts";

/** Those that are kept: what was added before is a machine, or was tried again since. */
const mostAdditions = 20;
/** A command tells every five seconds that it goes on. */
const silentMs = 20_000;

/**
 * What commands that make hosts machines tell of themselves. In memory: it decides nothing, and a command that goes on tells all of it again.
 */
export interface Additions {
  /** What a command tells now, in place of what it told before. */
  tell(id: string, by: string, told: ToldAddition): void;
  /** The newest first. */
  list(): readonly AdditionView[];
}

export function createAdditions(clock: Clock): Additions {
  const known = new Map<string, { readonly by: string; readonly startedAtMs: number; told: ToldAddition; heardMs: number }>();
  return {
    tell: (id, by, told) => {
      const one = known.get(id);
      // A name that is not unguessable: nobody tells of what is another's.
      if (one !== undefined && one.by === by) {
        one.told = told;
        one.heardMs = clock.monotonicMs();
        return;
      }
      if (one !== undefined) return;
      known.set(id, { by, startedAtMs: clock.nowMs(), told, heardMs: clock.monotonicMs() });
      for (const oldest of known.keys()) {
        if (known.size <= mostAdditions) break;
        known.delete(oldest);
      }
    },
    list: () =>
      [...known]
        .map(([id, { by, startedAtMs, told, heardMs }]) => ({
          id,
          by,
          startedAtMs,
          ...told,
          isSilent: !told.isOver && clock.monotonicMs() - heardMs > silentMs,
        }))
        .reverse(),
  };
}
