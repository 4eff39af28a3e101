import type { Guards, Ladder, Level, LevelAction, Remedy } from "#model/ladder.ts";

/** A bad network moment, a restart of a switch, one slow probe: most of what fails is back within this. */
const defaultSettleMs = 30_000;
const defaultSoonMs = 15 * 60_000;

export const defaultGuards: Guards = {
  actionsPerHour: 30,
  atOnce: 0.25,
  massFailure: { share: 0.2, count: 5, withinMs: 10 * 60_000 },
  suspectMonitor: 0.8,
};

const builtIn = (name: "app.restart" | "app.redeploy" | "app.rollback"): LevelAction => ({ kind: "built-in", name });
const then = (action: LevelAction): Remedy => ({ kind: "action", action });

/** What a level has when nothing else is said. */
export const levelDefaults = { quietMs: 60_000, timeoutMs: 10 * 60_000, retryMs: 10_000, attempts: 2 } as const;

/** The level for apps where nobody wrote one: restart, then the same release anew, then the one before, then people. */
export function defaultAppLevel(name: string): Level {
  return {
    name,
    scope: "app",
    action: builtIn("app.restart"),
    attempts: 1,
    remedies: [then(builtIn("app.redeploy")), then(builtIn("app.rollback")), { kind: "people" }],
    quietMs: levelDefaults.quietMs,
    timeoutMs: levelDefaults.timeoutMs,
    retryMs: levelDefaults.retryMs,
    check: null,
    approve: null,
    forApps: {},
  };
}

/** The ladder of a space that declares none: levels of apps only, because nothing is known of what is below them. */
export function defaultLadder(): Ladder {
  return {
    name: "default",
    settleMs: defaultSettleMs,
    soonMs: defaultSoonMs,
    levels: [defaultAppLevel("app")],
    checks: [],
    guards: defaultGuards,
    tell: [],
  };
}
