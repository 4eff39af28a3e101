import type { Check, Maintenance, WeeklyHours } from "../../../src/model/check.ts";
import type { Ladder, Level, Remedy } from "../../../src/model/ladder.ts";
import type { Scope } from "../../../src/model/target.ts";
import type { SeededRandom } from "../random.ts";

const wider: Remedy = { kind: "wider" };

const minuteMs = 60_000;

/** Hours around the whole day but for some minutes soon after `startMs`: they begin on one day and end on the next. */
function hoursWithGap(random: SeededRandom, startMs: number): WeeklyHours {
  const startMinute = (startMs / minuteMs) % 1440;
  const untilMinute = startMinute + random.between(1, 10);
  const days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
  return { days, fromMinute: untilMinute + random.between(1, 20), untilMinute, zone: "UTC" };
}

function maintenanceSoon(random: SeededRandom, startMs: number): Maintenance {
  const fromMs = startMs + random.between(0, 700) * 1_000;
  return { kind: "once", fromMs, untilMs: fromMs + random.between(30, 600) * 1_000 };
}

/** A ladder over the environment, with settings from the seed, whose checks ask for nothing now and then after `startMs`. */
export function randomLadder(random: SeededRandom, startMs: number): Ladder {
  const level = (name: string, scope: Scope, more: Partial<Level> = {}): Level => ({
    name,
    scope,
    action: { kind: "command", run: name, env: {} },
    attempts: random.between(1, 3),
    remedies: random.chance(0.4) ? [wider] : [],
    quietMs: random.pick([0, 10_000, 30_000, 60_000]),
    timeoutMs: random.pick([30_000, 60_000, 120_000]),
    retryMs: random.pick([1_000, 10_000]),
    check: null,
    approve: random.chance(0.1) ? { withinMs: 300_000, otherwise: random.pick(["people", "run", "drop"]) } : null,
    forApps: {},
    ...more,
  });
  const own = (name: string) => (random.chance(0.4) ? name : null);
  const rollback: Remedy = { kind: "action", action: { kind: "built-in", name: "app.rollback" } };
  const check = (name: string, each: Scope, asks: string): Check => ({
    name,
    test: { kind: "icmp", host: null },
    each,
    app: null,
    level: asks,
    everyMs: 10_000,
    timeoutMs: 5_000,
    failures: 2,
    from: ["server"],
    expected: random.chance(0.05) ? hoursWithGap(random, startMs) : null,
    maintenance: random.chance(0.15) ? [maintenanceSoon(random, startMs)] : [],
  });
  return {
    name: "simulated",
    settleMs: 30_000,
    soonMs: random.pick([60_000, 900_000]),
    levels: [
      level("provider", "space", { check: own("provider-online") }),
      level("network", "space", { check: own("net") }),
      level("pool", "pool"),
      level("machine", "machine", { check: own("ping") }),
      level("converge", "machine", { check: own("services") }),
      level("app", "app", { check: own("smoke"), remedies: random.chance(0.5) ? [rollback, wider] : [rollback] }),
    ],
    checks: [
      check("provider-online", "space", "provider"),
      check("net", "space", "network"),
      check("pool-serves", "pool", "pool"),
      check("ping", "machine", "machine"),
      check("services", "machine", "converge"),
      check("smoke", "app", "app"),
    ],
    guards: {
      actionsPerHour: random.pick([12, 60, 1_000]),
      atOnce: random.pick([0.25, 0.5, 1]),
      massFailure: { share: 0.2, count: random.pick([1, 2, 5]), withinMs: 600_000 },
      suspectMonitor: 0.8,
    },
    tell: [],
  };
}
