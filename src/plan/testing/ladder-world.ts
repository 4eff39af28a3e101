import type { Check, CheckState } from "#model/check.ts";
import { checkId } from "#model/check.ts";
import type { Ladder, Level } from "#model/ladder.ts";
import type { AppName, CheckId, MachineId, PoolName } from "#model/names.ts";
import type { Scope, Target, Topology } from "#model/target.ts";
import { defaultGuards } from "../ladder/default-ladder.ts";
import { indexLadder, type LadderIndex } from "../ladder/index-ladder.ts";
import type { LadderInput, StepOrder } from "../ladder/input.ts";
import { type Played, playLadder, type Stage } from "../ladder/play.ts";
import { describeReason } from "../ladder/reasons.ts";

/** The classic ladder of the design, and a stage on which checks fail as a script says and actions take ten seconds. */

export const t0 = 1_800_000_000_000;
export const actionMs = 10_000;
export const quietMs = 60_000;

export function level(name: string, scope: Scope, more: Partial<Level> = {}): Level {
  return {
    name,
    scope,
    action: { kind: "command", run: name, env: {} },
    attempts: 2,
    remedies: [],
    quietMs,
    timeoutMs: 120_000,
    retryMs: 10_000,
    check: null,
    approve: null,
    forApps: {},
    ...more,
  };
}

export function check(name: string, each: Scope, asks: string | null, more: Partial<Check> = {}): Check {
  return {
    name,
    test: { kind: "icmp", host: null },
    each,
    app: null,
    level: asks,
    everyMs: 10_000,
    timeoutMs: 5_000,
    failures: 2,
    from: ["server"],
    expected: null,
    maintenance: [],
    ...more,
  };
}

export const classic: Ladder = {
  name: "classic",
  settleMs: 30_000,
  soonMs: 15 * 60_000,
  levels: [
    level("provider", "space"),
    level("network", "space"),
    level("pool", "pool"),
    level("machine", "machine"),
    level("converge", "machine"),
    level("app", "app", { attempts: 3, remedies: [{ kind: "action", action: { kind: "built-in", name: "app.rollback" } }] }),
  ],
  checks: [
    check("provider-online", "space", "provider"),
    check("ping", "machine", "machine"),
    check("services", "machine", "converge"),
    check("pool-serves", "pool", "pool"),
    check("smoke", "app", "app"),
  ],
  guards: { ...defaultGuards, actionsPerHour: 1_000, atOnce: 1 },
  tell: [],
};

/** Pools `web` (m1, m2, running shop) and `db` (m3, m4, running store); web keeps `minHealthy`. */
export const twoPools: Topology = {
  pools: [
    { name: "web" as PoolName, minHealthy: 0 },
    { name: "db" as PoolName, minHealthy: 0 },
  ],
  machines: ["m1", "m2", "m3", "m4"].map((name, i) => ({
    name: name as MachineId,
    pool: (i < 2 ? "web" : "db") as PoolName,
    apps: [(i < 2 ? "shop" : "store") as AppName],
  })),
  apps: ["shop" as AppName, "store" as AppName],
};

/** When a check fails: from and until, in seconds from the start; until something else says so when it is left out. */
export type Script = Readonly<
  Record<string, readonly [from: number, until?: number] | readonly (readonly [from: number, until: number])[]>
>;

export interface Scene {
  readonly ladder?: Partial<Ladder>;
  readonly topology?: Topology;
  readonly fails?: Script;
  /** Level and target of actions that do not work, such as `converge machine/m1`. */
  readonly broken?: readonly string[];
  /** Such as `app app/shop`: exits with 0 and mends nothing. */
  readonly lies?: readonly string[];
  readonly hangs?: readonly string[];
  readonly forSeconds?: number;
  readonly input?: (seconds: number) => Partial<LadderInput>;
  /** Seconds at which `input` changes. */
  readonly changesAt?: readonly number[];
  readonly start?: Partial<LadderInput>;
}

export function inputOf(index: LadderIndex, more: Partial<LadderInput> = {}): LadderInput {
  return {
    index,
    states: new Map(),
    silent: { checks: new Set(), untilMs: null },
    monitor: { probes: [{ name: "server", lastResultAtMs: t0 + 1e12, isSuspect: false }], freshMs: 60_000, isNetworkUp: true },
    escalations: [],
    pauses: [],
    notices: [],
    massAcknowledgedAtMs: null,
    isDryRun: false,
    term: 1,
    nowMs: t0,
    ...more,
  };
}

export function stateOf(id: CheckId, isFailing: boolean, sinceMs: number, nowMs: number): CheckState {
  return {
    id,
    verdict: isFailing ? "failing" : "ok",
    sinceMs,
    atMs: nowMs,
    isPassing: !isFailing,
    probes: {},
    changesAtMs: [],
    isFlapping: false,
    message: isFailing ? "no answer" : "fine",
  };
}

export function playScene(scene: Scene) {
  const index = indexLadder({ ...classic, ...scene.ladder }, scene.topology ?? twoPools);
  const changes = Object.entries(scene.fails ?? {}).map(([name, spans]) => {
    const all = (Array.isArray(spans[0]) ? spans : [spans]) as readonly (readonly [number, number?])[];
    return {
      id: name as CheckId,
      spans: all.map(([from, until]) => [t0 + from * 1_000, until === undefined ? null : t0 + until * 1_000] as const),
    };
  });
  const spansOf = new Map(changes.map(({ id, spans }) => [id, spans]));
  const mendedAtMs = new Map<CheckId, number>();
  const failingSince = (id: CheckId, nowMs: number): number | null => {
    const span = (spansOf.get(id) ?? []).find(([from, until]) => from <= nowMs && (until === null || nowMs < until));
    if (span === undefined) return null;
    const mended = mendedAtMs.get(id);
    return span[1] === null && mended !== undefined && mended >= span[0] && nowMs >= mended ? null : span[0];
  };
  const of = (one: StepOrder) => `${one.level} ${one.target}`;
  const stage: Stage = {
    states: (nowMs) =>
      new Map(
        [...index.checks.keys()].map((id) => {
          const since = failingSince(id, nowMs);
          return [id, stateOf(id, since !== null, since ?? t0, nowMs)];
        }),
      ),
    ...(scene.input === undefined ? {} : { input: (nowMs: number) => scene.input?.((nowMs - t0) / 1_000) ?? {} }),
    act: (step, nowMs) => {
      if (scene.hangs?.includes(of(step))) return null;
      const atMs = nowMs + actionMs;
      if (scene.broken?.includes(of(step))) return { atMs, result: "failed", exitCode: 1, output: "" };
      // What an action mends: the checks that ask for its level, and everything inside its target.
      if (!scene.lies?.includes(of(step)))
        for (const one of index.checks.values())
          if (one.asks !== null && index.ladder.levels[one.asks.level]?.name === step.level && isInside(index, step.target, one.target))
            mendedAtMs.set(one.id, atMs);
      return { atMs, result: "ok", exitCode: 0, output: "" };
    },
    nextAtMs: (nowMs) => {
      const times = [...changes.flatMap(({ spans }) => spans.flat()), ...(scene.changesAt ?? []).map((seconds) => t0 + seconds * 1_000)];
      const later = times.filter((atMs): atMs is number => atMs !== null && atMs > nowMs);
      return later.length === 0 ? null : Math.min(...later);
    },
  };
  return playLadder(inputOf(index, scene.start), stage, t0 + (scene.forSeconds ?? 3_600) * 1_000);
}

function isInside(index: LadderIndex, outer: Target, inner: Target): boolean {
  if (outer === "space" || outer === inner) return true;
  return index.places.of.get(inner)?.pool === outer || (index.places.of.get(outer)?.reached.app.includes(inner) ?? false);
}

/** `30 start machine machine/m1`: what happened, with its second. */
export function lines(played: readonly Played[], kinds: readonly string[] = ["start", "end", "kill", "tell"]): readonly string[] {
  const out: string[] = [];
  for (const { atMs, action } of played) {
    const at = (atMs - t0) / 1_000;
    if (action.kind === "start") out.push(`start ${at} ${action.step.level} ${action.step.target}${nameOfAction(action.step)}`);
    else if (action.kind === "kill") out.push(`kill ${at} ${action.step}`);
    else if (action.kind === "tell") out.push(`tell ${at} ${action.notice.text}`);
    else if (action.kind === "clear") out.push(`clear ${at} ${action.key}`);
    else if (action.escalation.outcome !== null) out.push(`end ${at} ${action.escalation.target} ${action.escalation.outcome.kind}`);
    else out.push(`save ${at} ${action.escalation.target} ${describeReason(action.reason)}`);
  }
  return out.filter((line) => kinds.some((kind) => line.startsWith(`${kind} `)));
}

function nameOfAction({ action }: StepOrder): string {
  return action.kind === "built-in" ? ` ${action.name}` : "";
}

export const idOf = (name: string, target: Target): CheckId => checkId(name, target);
