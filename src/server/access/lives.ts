import { type Clock, pause } from "#model/clock.ts";
import { type Principal, unauthenticated } from "./access-rule.ts";

/** How often what is open is looked at: what it was opened with is worth nothing any more after 5 s at the latest. */
const lookEveryMs = 2_000;

/** Something that goes on after its request was let in: a stream, a terminal. To be disposed of when it has ended. */
export interface Life extends Disposable {
  /** Aborts, with UNAUTHENTICATED, when whoever opened it may no longer: logged out, revoked, expired. */
  readonly signal: AbortSignal;
}

/** Ends what is open when the token or session that it was opened with does. */
export interface Lives {
  begin(principal: Principal): Life;
  /** Looks now, in place of in a while. */
  look(): void;
}

export interface LivesOptions {
  readonly isValid: (principal: Principal) => boolean;
  readonly clock: Pick<Clock, "sleep">;
}

/** It asks again and again in place of being told: what revokes a token may be another server, and what lets it expire is a clock. */
export function createLives({ isValid, clock }: LivesOptions, stopping: AbortSignal): Lives {
  const open = new Map<AbortController, Principal>();
  let isWatching = false;

  const check = (life: AbortController, principal: Principal) => {
    if (isValid(principal)) return;
    open.delete(life);
    life.abort(unauthenticated(`${principal.session === null ? "the token" : "the session"} is no longer valid`));
  };
  const look = () => {
    for (const [life, principal] of open) check(life, principal);
  };
  const watch = async () => {
    if (isWatching) return;
    isWatching = true;
    while (open.size > 0 && !stopping.aborted) {
      await pause(clock, lookEveryMs, stopping);
      look();
    }
    isWatching = false;
  };

  return {
    look,
    begin: (principal) => {
      const life = new AbortController();
      open.set(life, principal);
      // A ticket may have waited for half a minute.
      check(life, principal);
      void watch();
      return { signal: life.signal, [Symbol.dispose]: () => void open.delete(life) };
    },
  };
}
