import type { LinkRoutes } from "#link/serve.ts";
import type { Clock } from "#model/clock.ts";
import type { LeaseAnswer } from "#model/lease.ts";
import type { Engine } from "./engines/engine.ts";
import { readLeaseRenewal } from "./link-bodies.ts";

/** Tokens that a renewal may still name: the server uses the latest, over at most a few links at once. */
const tokensKept = 16;

/** What an agent serves of leases (`model/lease.ts`): it gives tokens, and knows when it gave each. */
export function leaseRoutes(engine: Pick<Engine, "renew">, clock: Clock): LinkRoutes {
  const givenAtMs = new Map<string, number>();
  let last = 0;
  return {
    "POST /lease": async (call): Promise<LeaseAnswer> => {
      const { of, ms, workloads } = readLeaseRenewal(await call.body());
      const fromMs = of === null ? undefined : givenAtMs.get(of);
      // A token of long ago, or of an agent before this one, renews nothing.
      if (fromMs !== undefined) await engine.renew(workloads, fromMs + ms);
      const token = String(++last);
      givenAtMs.set(token, clock.monotonicMs());
      const [oldest] = givenAtMs.keys();
      if (oldest !== undefined && givenAtMs.size > tokensKept) givenAtMs.delete(oldest);
      return { token };
    },
  };
}
