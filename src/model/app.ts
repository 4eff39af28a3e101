import type { MetricsPlace } from "./app-metrics.ts";
import type { DeployManifest, ProcessManifest } from "./manifest.ts";
import type { AppName, Digest, PoolName, ProcessName, SpaceName } from "./names.ts";
import type { RequestConditions, RoutePolicy } from "./routing-table.ts";
import type { ScaleRule } from "./scale.ts";
import type { SpaceLogs } from "./space-logs-schemas.ts";
import type { Probe, Resources, StopRules } from "./workload.ts";

/** Desired state as the store keeps it: plain JSON, one object a key. */

export interface Space {
  readonly name: SpaceName;
  /** Apps are routed at `<app>.<domain>`. */
  readonly domain: string;
  readonly env: Readonly<Record<string, string>>;
  readonly createdAtMs: number;
  /** What becomes of what its apps print; left out: it is kept, and that is all. */
  readonly logs?: SpaceLogs;
  /** From when on lines are sent, by destination: when it was declared, in epoch milliseconds. */
  readonly shipsSinceMs?: Readonly<Record<string, number>>;
}

/** One process as a release fixes it. */
export interface ProcessSpec {
  readonly run: string;
  readonly port: "auto" | "none" | number;
  readonly protocol: ProcessManifest["protocol"];
  readonly resources: Resources;
  /** It must never run twice, not even for a moment. */
  readonly onlyOne?: true;
  /** It sends figures of its own by statsd. */
  readonly statsd?: true;
  readonly ready: Probe | null;
  readonly alive: Probe | null;
}

/** Everything of an app that needs new instances when it changes. Two equal specs are the same release. */
export interface ReleaseSpec {
  readonly artifact: Digest | null;
  readonly processes: Readonly<Record<ProcessName, ProcessSpec>>;
  readonly env: Readonly<Record<string, string>>;
  /** Secret name → version of its value, so that a release keeps the values it was made with. */
  readonly secrets: Readonly<Record<string, number>>;
  /** Needed app → its stable loopback port and protocol. */
  readonly needs: Readonly<Record<AppName, { readonly port: number; readonly protocol: "http" | "tcp" }>>;
  readonly volumes: readonly string[];
  readonly before: { readonly run: string; readonly timeoutMs: number } | null;
  readonly stop: StopRules;
}

export interface ReleaseFailure {
  /** CANNOT_PLACE: for want of room; RELEASE_FAILED: anything else. */
  readonly code: "RELEASE_FAILED" | "CANNOT_PLACE";
  /** Why, in words. */
  readonly reason: string;
  /** The last lines (at most twenty) of the latest run of the instance that failed. */
  readonly lines: readonly string[];
  readonly atMs: number;
}

/**
 * - `pending`: wanted, on its way.
 * - `active`: became ready with all its instances; the one to go back to.
 * - `superseded`: another release took its place.
 * - `failed`: did not become ready, or was aborted.
 */
export type ReleaseState = "pending" | "active" | "superseded" | "failed";

export interface Release {
  readonly number: number;
  readonly space: SpaceName;
  readonly app: AppName;
  readonly spec: ReleaseSpec;
  readonly state: ReleaseState;
  readonly failure: ReleaseFailure | null;
  readonly createdAtMs: number;
  /** What made it: `push`, `apply`, `env`, `secret`, `rollback to 3`. */
  readonly cause: string;
}

/** Where an app is reached from outside. */
export type AppRoute = HttpAppRoute | PortAppRoute;

export interface HttpAppRoute {
  /** Exact, `*.` and a name, or `*`. */
  readonly host: string;
  readonly path: string;
  readonly when?: RequestConditions;
  /** TLS for the host goes to the app as it is. */
  readonly passthrough?: true;
  readonly to: ProcessName;
  readonly policy?: RoutePolicy;
}

export interface PortAppRoute {
  readonly port: number;
  readonly protocol: "tcp" | "udp";
  readonly to: ProcessName;
  readonly policy?: RoutePolicy;
}

/** Which machines an app may run on, and over what it spreads. */
export interface Place {
  /** Labels that a machine must have. */
  readonly labels: Readonly<Record<string, string>>;
  /** The pool whose machines alone take it; null: those of any, and of none. */
  readonly pool: PoolName | null;
  /** The label over whose values to spread, before machines; null: over machines alone. */
  readonly spread: string | null;
}

export interface Maintenance {
  readonly message: string;
  readonly retryAfterMs: number;
}

export interface App {
  readonly name: AppName;
  readonly space: SpaceName;
  /** The manifest as it was written, overlays applied, variables filled in. */
  readonly manifest: Readonly<Record<string, unknown>>;
  /** What people set by hand since the last apply; a manifest that names the same key wins at the next apply. */
  readonly manual: { readonly env: Readonly<Record<string, string | null>>; readonly instances: Readonly<Record<ProcessName, number>> };
  /** Wanted instances by process; what the target release's processes are scaled to. */
  readonly instances: Readonly<Record<ProcessName, number>>;
  /** Processes whose number of instances follows their load. Left out: none. */
  readonly scale?: Readonly<Record<ProcessName, ScaleRule>>;
  readonly routes: readonly AppRoute[];
  /** While it is set, the app's HTTP routes answer with a page in place of the app. */
  readonly maintenance?: Maintenance;
  readonly deploy: DeployManifest;
  /** Number of the newest release; never reused. */
  readonly lastRelease: number;
  /** The release that is wanted; null before the first. */
  readonly target: number | null;
  /** The release that last was fully ready; null before the first. */
  readonly active: number | null;
  readonly stopped: boolean;
  /** Set when the app is being destroyed: everything of it is stopped, then forgotten. */
  readonly destroying: boolean;
  /** With `destroying`: it was declared again since, and is what is written here as soon as nothing is left of the one before. */
  readonly recreate?: boolean;
  readonly restartToken: string;
  /** Of processes that were restarted by themselves since: these count in place of `restartToken`. */
  readonly restartTokens?: Readonly<Record<ProcessName, string>>;
  /** Stable loopback ports by process, for `needs`. An edge listens there while an app needs it, or the process is in `openAddresses`. */
  readonly servicePorts: Readonly<Record<ProcessName, number>>;
  /** Processes whose service address is open whether an app needs it or not. Left out: none. */
  readonly openAddresses?: readonly ProcessName[];
  /** Where an instance says which version it is, by process: a path, or `none`. Left out: at the usual one. */
  readonly info?: Readonly<Record<ProcessName, string>>;
  /** Where instances tell figures of their own, by process. Left out: nowhere. */
  readonly metrics?: Readonly<Record<ProcessName, MetricsPlace>>;
  /** Processes that send theirs by statsd. Left out: none. */
  readonly statsd?: readonly ProcessName[];
  /** Where it may run; null or left out: anywhere. */
  readonly place?: Place | null;
  readonly createdAtMs: number;
}

/** Whether the app is only there to be destroyed: for whoever declares, lists or changes apps it is gone already. */
export function isBeingDestroyed(app: Pick<App, "destroying" | "recreate">): boolean {
  return app.destroying && app.recreate !== true;
}

/** Whether a process has no instances while nobody asks for it, and is started by the first who does. */
export function wakes({ scale = {}, stopped, target }: Pick<App, "scale" | "stopped" | "target">, process: ProcessName): boolean {
  const rule = Object.hasOwn(scale, process) ? scale[process] : undefined;
  return rule?.min === 0 && !stopped && target !== null;
}

/** Processes that have none now, and would be started. */
export function asleep(app: Pick<App, "scale" | "stopped" | "target" | "instances">): readonly ProcessName[] {
  return (Object.keys(app.scale ?? {}) as ProcessName[]).filter((process) => app.instances[process] === 0 && wakes(app, process));
}

/** Where the way from `active` to `target` stands; what a restarted server needs to go on. */
export interface Rollout {
  readonly release: number;
  readonly startedAtMs: number;
  /** The release's `before` command: not needed or done, running, or not begun. */
  readonly before: "none" | "waiting" | "running" | "done";
  /** canary: index into `deploy.steps`; equal to its length when all traffic goes to the new release. */
  readonly step: number;
  /** When the step was reached with all it needs ready; null while it is not. */
  readonly stepReadyAtMs: number | null;
  /** Time spent in holds, in the `before` command and stopped, which the deadline does not count. */
  readonly heldMs: number;
  /** When the app was stopped on the way; null while it goes on. */
  readonly pausedAtMs: number | null;
}

/** One thing that happened and why. Appended, never changed. */
export interface DroverEvent {
  /** Rises by one. */
  readonly sequence: number;
  readonly atMs: number;
  readonly space: string | null;
  readonly app: string | null;
  /** Instance or release it is about, where there is one. */
  readonly subject: string | null;
  /** Dotted, such as `release.failed`. */
  readonly kind: string;
  /** In words: what and why. */
  readonly message: string;
  readonly details: unknown;
  /** The name of the token of whoever asked for it; null: nobody, it happened or Drover did it by itself. */
  readonly by: string | null;
}
