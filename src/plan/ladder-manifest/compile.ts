import type { Check, CheckTest, Maintenance } from "#model/check.ts";
import type { CheckManifest } from "#model/check-schemas.ts";
import type { Ladder, Level, LevelAction, Remedy, Tell, Tries } from "#model/ladder.ts";
import { type EscalateManifest, type LadderManifest, type LevelManifest, scopeOfLevel } from "#model/ladder-schemas.ts";
import { measurementOf } from "#model/measurement.ts";
import type { AppName } from "#model/names.ts";
import { hoursOf } from "../checks/expected-hours.ts";
import { defaultAppLevel, defaultLadder } from "../ladder/default-ladder.ts";

/** Of a check that states none: nobody waits longer for a page, and an attempt has to end before the next one is due. */
const longestTimeoutMs = 10_000;

/** What an app declares for the Escalator. */
export interface AppDeclares {
  readonly app: AppName;
  readonly checks: Readonly<Record<string, CheckManifest>>;
  readonly escalate: EscalateManifest | null;
}

/** The lightest level for apps: what an app's checks ask for when they name none, and what its short form stands in for. */
export function appLevelOf(levels: readonly LevelManifest[]): string | null {
  return levels.findLast((level) => scopeOfLevel(level) === "app")?.name ?? null;
}

/** Ladder and apps of a space, as they were written and found valid, as one ladder. */
export function compileLadder(manifest: LadderManifest | null, apps: readonly AppDeclares[]): Ladder {
  const base = manifest === null ? defaultLadder() : ladderOf(manifest);
  const lightest = manifest === null ? "app" : appLevelOf(manifest.levels);
  const asks = apps.some(({ checks, escalate }) => escalate !== null || Object.values(checks).some(({ level }) => level === undefined));
  const levels = lightest === null && asks ? [...base.levels, defaultAppLevel("app")] : base.levels;
  const appLevel = lightest ?? "app";
  const forApps = Object.fromEntries(apps.flatMap(({ app, escalate }) => (escalate === null ? [] : [[app, triesOfShortForm(escalate)]])));
  return {
    ...base,
    levels: levels.map((level) => (level.name === appLevel ? { ...level, forApps } : level)),
    checks: [
      ...base.checks,
      ...apps.flatMap(({ app, checks }) =>
        Object.entries(checks).map(([name, check]) => ({
          ...checkOf(`${app}-${name}`, check),
          each: "app" as const,
          app,
          level: check.level ?? appLevel,
        })),
      ),
    ],
  };
}

function ladderOf(manifest: LadderManifest): Ladder {
  const { guard } = manifest;
  return {
    name: manifest.ladder,
    settleMs: manifest.settle,
    soonMs: manifest.soon,
    levels: manifest.levels.map(levelOf),
    checks: Object.entries(manifest.checks).map(([name, check]) => checkOf(name, check)),
    guards: {
      actionsPerHour: guard.actions_per_hour,
      atOnce: guard.at_once,
      suspectMonitor: guard.suspect_monitor,
      massFailure: { share: guard.mass_failure.share, count: guard.mass_failure.count, withinMs: guard.mass_failure.within },
    },
    tell: manifest.tell.map((one) => tellOf(one, manifest.mail)),
  };
}

function tellOf(one: LadderManifest["tell"][number], mail: LadderManifest["mail"]): Tell {
  if ("webhook" in one) return { kind: "webhook", url: one.webhook, template: one.template ?? null };
  if ("run" in one) return { kind: "command", run: one.run };
  if (mail === undefined) throw new Error("a ladder that tells by e-mail and has no server for it is not valid");
  const { host, port, tls, ca, user, password, from } = mail;
  const login = user === undefined || password === undefined ? null : { user, secret: password };
  // 465 is where encryption begins at once (RFC 8314).
  const via = { host, port, tls: tls ?? (port === 465 ? "implicit" : "starttls"), ca: ca ?? null, login, from } as const;
  return { kind: "email", to: one.email, via };
}

function levelOf(level: LevelManifest): Level {
  return {
    name: level.name,
    scope: scopeOfLevel(level),
    action: level.do === undefined ? { kind: "command", run: level.run ?? "", env: level.env } : { kind: "built-in", name: level.do },
    attempts: level.attempts,
    remedies: level.then.map(remedyOf),
    quietMs: level.quiet,
    timeoutMs: level.timeout,
    retryMs: level.retry,
    check: level.check ?? null,
    approve: level.approve === undefined ? null : { withinMs: level.approve.within, otherwise: level.approve.otherwise },
    forApps: {},
  };
}

function remedyOf(remedy: LevelManifest["then"][number]): Remedy {
  if (typeof remedy === "object") return { kind: "action", action: { kind: "command", ...remedy } };
  if (remedy === "people" || remedy === "wider") return { kind: remedy };
  return { kind: "action", action: { kind: "built-in", name: remedy } };
}

/** `[restart, redeploy]`: the first is the level's action, tried once, and the others are its remedies. */
function triesOfShortForm(escalate: EscalateManifest): Tries {
  const actions = escalate.filter((step) => step !== "tell").map((step): LevelAction => ({ kind: "built-in", name: `app.${step}` }));
  const [first, ...rest] = actions;
  // Telling alone: no attempt, so people come first.
  if (first === undefined) return { action: { kind: "built-in", name: "app.restart" }, attempts: 0, remedies: [{ kind: "people" }] };
  return { action: first, attempts: 1, remedies: [...rest.map((action): Remedy => ({ kind: "action", action })), { kind: "people" }] };
}

function checkOf(name: string, check: CheckManifest): Check {
  return {
    name,
    test: testOf(check),
    each: check.app === undefined ? (check.each ?? "space") : "app",
    app: check.app ?? null,
    level: check.level ?? null,
    everyMs: check.every,
    timeoutMs: check.timeout ?? Math.min(longestTimeoutMs, check.every),
    failures: check.failures,
    from: check.from,
    expected: check.expected === undefined ? null : hoursOf(check.expected),
    maintenance: check.maintenance.map(
      (window): Maintenance =>
        "start" in window ? { kind: "once", fromMs: window.start, untilMs: window.end } : { kind: "weekly", hours: hoursOf(window) },
    ),
  };
}

function testOf(check: CheckManifest): CheckTest {
  const { expect } = check;
  if (check.http !== undefined) {
    const status = expect?.status ?? [];
    return {
      kind: "http",
      url: check.http,
      method: check.method ?? "GET",
      headers: check.headers ?? {},
      body: null,
      expect: {
        status: typeof status === "number" ? [status] : status,
        body: expect?.body ?? null,
        headers: expect?.headers ?? {},
        json: expect?.json ?? {},
        tlsLeftMs: expect?.tls ?? null,
      },
    };
  }
  if (check.tcp !== undefined)
    return { kind: "tcp", host: check.host ?? null, ports: typeof check.tcp === "number" ? [check.tcp] : check.tcp };
  if (check.icmp !== undefined) return { kind: "icmp", host: check.host ?? null };
  if (check.dns !== undefined) return { kind: "dns", ...check.dns, server: check.dns.server ?? null };
  if (check.run !== undefined) return { kind: "command", run: check.run, env: check.env ?? {}, output: check.output ?? "exit" };
  if (check.heartbeat !== undefined) return { kind: "heartbeat", withinMs: check.heartbeat };
  if (check.log !== undefined) return { kind: "log", search: check.log.search, most: check.log.most, overMs: check.log.over };
  if (check.metric !== undefined) {
    const { above, below, ...measured } = check.metric;
    return { kind: "metric", is: above === undefined ? "below" : "above", value: above ?? below ?? 0, ...measurementOf(measured) };
  }
  return { kind: "ready", least: check.ready ?? 1 };
}
