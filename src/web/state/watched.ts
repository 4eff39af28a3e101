import type { CheckView, EscalationView } from "#model/api-escalations.ts";
import { apiPath, call } from "../api/client.ts";
import { type Loaded, useLoad } from "./use.ts";

/** Runs that are looked through for those that go on: open ones are the newest. */
const runsRead = 50;

export interface Watched {
  readonly checks: readonly (CheckView & { readonly space: string })[];
  /** Escalations that have not ended, or that wait for somebody to take note. */
  readonly runs: readonly (EscalationView & { readonly space: string })[];
}

/** What is checked in the spaces, and what is done about it. @param spaces undefined while they are not known */
export function useWatched(spaces: readonly string[] | undefined): Loaded<Watched> {
  return useLoad(
    `watched ${spaces?.join(" ") ?? ""}`,
    async (signal) => {
      const found = await Promise.all(
        (spaces ?? []).map(async (space) => {
          const [{ checks }, { escalations }] = await Promise.all([
            call<{ checks: CheckView[] }>("GET", apiPath(["spaces", space, "checks"]), { signal }),
            call<{ escalations: EscalationView[] }>("GET", apiPath(["spaces", space, "escalations"], { limit: runsRead }), { signal }),
          ]);
          const open = escalations.filter(({ state }) => state !== "ended");
          return { checks: checks.map((one) => ({ ...one, space })), runs: open.map((one) => ({ ...one, space })) };
        }),
      );
      return { checks: found.flatMap(({ checks }) => checks), runs: found.flatMap(({ runs }) => runs) };
    },
    { everyMs: 5_000, wakes: ({ kind }) => /^(check|escalation|ladder|space|app)\./.test(kind) },
  );
}
