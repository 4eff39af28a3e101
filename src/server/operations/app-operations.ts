import type { z } from "zod";
import type { Changed, environmentRequest } from "#model/api.ts";
import { type App, isBeingDestroyed, type Maintenance, type Release, type ReleaseSpec } from "#model/app.ts";
import { DroverError } from "#model/errors.ts";
import type { AppName, ProcessName, SpaceName } from "#model/names.ts";
import { nearest } from "../manifests/problems.ts";
import { objects, put, remove, type Stored, unchanged } from "../objects/objects.ts";
import type { OperationContext } from "./context.ts";
import type { Receipt } from "./receipt.ts";
import { isEqualJson } from "./release-spec.ts";
import { newRelease, targetSpec } from "./releases.ts";
import { transact } from "./transact.ts";

/** Which app, and what the caller asks of its revision and its answer. */
export interface AppCall {
  readonly space: SpaceName;
  readonly app: AppName;
  readonly receipt: Receipt | null;
  /** Throws PRECONDITION_FAILED unless the app is at the revision that the caller read. */
  readonly require: (current: number) => void;
}

interface AppChange {
  /** Null: nothing changes. */
  readonly app: App | null;
  /** A new release's spec, with what made it. */
  readonly release?: { readonly spec: ReleaseSpec; readonly cause: string };
  /** Releases that go in the same commit. */
  readonly forget?: (release: Release) => boolean;
  readonly event: { readonly kind: string; readonly message: string; readonly subject?: string; readonly details?: unknown };
}

/** There is no app of that name, or it is being destroyed. @throws {DroverError} APP_NOT_FOUND */
export function requireApp({ store }: Pick<OperationContext, "store">, space: SpaceName, app: AppName): Stored<App> {
  const stored = objects.app(store, space, app);
  if (stored !== null && !isBeingDestroyed(stored.value)) return stored;
  throw noSuchApp(store, space, app);
}

/** With the app of the space that was probably meant. */
export function noSuchApp(store: OperationContext["store"], space: SpaceName, app: AppName): DroverError {
  const like = nearest(
    app,
    objects.apps(store, space).map(({ value }) => value.name),
  );
  return new DroverError("APP_NOT_FOUND", `there is no app "${app}" in space "${space}"`, {
    hint: `${like === null ? "" : `Did you mean "${like}"? `}List the apps with \`drover apps\`, or name another space with \`--space\`.`,
  });
}

/** One change of one app, in one commit, repeated from a new reading when somebody else was faster. */
async function changeApp(context: OperationContext, call: AppCall, change: (app: App) => AppChange): Promise<Changed> {
  const { store, events, clock } = context;
  let event: AppChange["event"] | null = null;
  const changed = await transact(store, call.receipt, () => {
    const stored = requireApp(context, call.space, call.app);
    call.require(stored.modRevision);
    const { app, release, forget, event: told } = change(stored.value);
    const answer = { space: call.space as string, app: call.app as string, release: stored.value.target, changed: app !== null };
    event = null;
    if (app === null) return { answer, conditions: [], changes: [] };
    const made = release === undefined ? null : newRelease(context, app, release.spec, release.cause, clock.nowMs());
    event = made === null ? told : { ...told, subject: String(made.app.lastRelease) };
    const written = new Set(made?.changes.map(({ key }) => key));
    const forgotten = (forget === undefined ? [] : objects.releases(store, call.space, call.app)).filter(
      ({ key, value }) => forget?.(value) === true && !written.has(key),
    );
    return {
      answer: { ...answer, release: made?.app.target ?? app.target },
      conditions: [unchanged(stored.key, stored), ...(made?.conditions ?? [])],
      changes: [put(stored.key, made?.app ?? app), ...(made?.changes ?? []), ...forgotten.map(({ key }) => remove(key))],
      leadsToDeletions: app.destroying,
    };
  });
  if (event !== null) events.append({ ...(event as AppChange["event"]), space: call.space, app: call.app });
  return changed;
}

/** @throws {DroverError} PROCESS_NOT_FOUND */
function requireProcess(context: OperationContext, app: App, process: string): void {
  const known = [...new Set([...Object.keys(targetSpec(context.store, app)?.processes ?? {}), ...Object.keys(app.instances)])];
  if (known.includes(process)) return;
  throw new DroverError("PROCESS_NOT_FOUND", `app "${app.name}" has no process "${process}"`, { hint: `It has ${known.join(", ")}.` });
}

/**
 * Sets counts by hand. They stay until a manifest that names them is applied.
 * @throws {DroverError} APP_NOT_FOUND, PROCESS_NOT_FOUND; CONFLICT for a process whose count follows its load
 */
export function scale(context: OperationContext, call: AppCall, instances: Readonly<Record<ProcessName, number>>): Promise<Changed> {
  return changeApp(context, call, (app) => {
    for (const [process, count] of Object.entries(instances)) {
      requireProcess(context, app, process);
      if (count > 1 && targetSpec(context.store, app)?.processes[process as ProcessName]?.onlyOne === true)
        throw new DroverError(
          "REQUEST_INVALID",
          `process "${process}" of app "${app.name}" must never run twice, and ${count} are asked for`,
          {
            hint: "Scale it to 0 or 1, or take `only_one` out of its manifest.",
          },
        );
      if (Object.hasOwn(app.scale ?? {}, process))
        throw new DroverError("CONFLICT", `process "${process}" of app "${app.name}" is scaled by rules`, {
          hint: "Change `min` and `max` of its `scale` and apply the manifest, or take `scale` out of it.",
        });
    }
    const next: App = {
      ...app,
      instances: { ...app.instances, ...instances },
      manual: { ...app.manual, instances: { ...app.manual.instances, ...instances } },
    };
    const counts = Object.entries(instances).map(([process, count]) => `${process}=${count}`);
    return {
      app: isEqualJson(next, app) ? null : next,
      event: { kind: "app.scaled", message: `app "${app.name}" is scaled to ${counts.join(", ")}`, details: { to: instances } },
    };
  });
}

/** Has a process follow its load from one count to another; nothing if it has another count by now. */
export function scaleByRule(
  context: OperationContext,
  { space, app: name }: Pick<AppCall, "space" | "app">,
  process: ProcessName,
  { from, to, because }: { readonly from: number; readonly to: number; readonly because: string },
): Promise<Changed> {
  return changeApp(context, { space, app: name, receipt: null, require: () => {} }, (app) => ({
    app: app.instances[process] === from ? { ...app, instances: { ...app.instances, [process]: to } } : null,
    event: {
      kind: "app.scaled",
      message: `process "${process}" of app "${name}" is scaled from ${from} to ${to}: ${because}`,
      details: { process, from, to },
    },
  }));
}

/**
 * Sets and takes away variables by hand: a new release of what is wanted now, with only its environment changed. What is set nowhere, or has its value
 * already, is no change.
 */
export function changeEnvironment(
  context: OperationContext,
  call: AppCall,
  { set, unset }: z.output<typeof environmentRequest>,
): Promise<Changed> {
  return changeApp(context, call, (app) => {
    const spec = targetSpec(context.store, app);
    const env: Record<string, string | null> = { ...app.manual.env };
    for (const [name, value] of Object.entries(set)) if (!isSetTo(app, spec, name, value)) env[name] = value;
    for (const name of unset) if (isSet(app, spec, name)) env[name] = null;
    const next: App = { ...app, manual: { ...app.manual, env } };
    const names = [...Object.keys(set), ...unset].filter((name) => env[name] !== app.manual.env[name]).join(", ");
    const event = { kind: "env.changed", message: `environment of "${app.name}" changed: ${names}` };
    if (spec === null) return { app: isEqualJson(next, app) ? null : next, event };
    const wanted: ReleaseSpec = { ...spec, env: sorted(without({ ...spec.env, ...set }, unset)) };
    if (isEqualJson(wanted, spec)) return { app: isEqualJson(next, app) ? null : next, event };
    return { app: next, release: { spec: wanted, cause: "env" }, event };
  });
}

/**
 * Whether the app has the variable, from wherever. After a rollback the release may be without what was set by hand, which the next apply would bring
 * back: that counts as set.
 */
function isSet(app: App, spec: ReleaseSpec | null, name: string): boolean {
  if (spec !== null) return Object.hasOwn(spec.env, name) || typeof app.manual.env[name] === "string";
  return Object.hasOwn(app.manual.env, name) ? app.manual.env[name] !== null : writtenEnv(app)[name] !== undefined;
}

/** Whether the app itself has this value. That of its space may change, so setting the same by hand is not nothing. */
function isSetTo(app: App, spec: ReleaseSpec | null, name: string, value: string): boolean {
  const own = Object.hasOwn(app.manual.env, name) || Object.hasOwn(writtenEnv(app), name);
  return own && (spec === null ? app.manual.env[name] === value : Object.hasOwn(spec.env, name) && spec.env[name] === value);
}

function writtenEnv(app: App): Readonly<Record<string, unknown>> {
  return (app.manifest["env"] ?? {}) as Readonly<Record<string, unknown>>;
}

/**
 * Goes back to release `to`, or to the one that served before the wanted one: a new release with the old one's spec.
 * @throws {DroverError} RELEASE_NOT_FOUND
 */
export function rollback(context: OperationContext, call: AppCall, to: number | undefined): Promise<Changed> {
  return changeApp(context, call, (app) => {
    const release = to === undefined ? releaseBefore(context, app) : objects.release(context.store, app.space, app.name, to)?.value;
    if (release === undefined || release === null) {
      throw new DroverError(
        "RELEASE_NOT_FOUND",
        to === undefined ? `app "${app.name}" has no earlier release that served` : `app "${app.name}" has no release ${to}`,
        {
          hint: "List the releases that are kept with `drover releases`.",
        },
      );
    }
    return {
      app: {
        ...app,
        instances: { ...Object.fromEntries(Object.keys(release.spec.processes).map((process) => [process, 1])), ...app.instances },
      },
      release: { spec: release.spec, cause: `rollback to ${release.number}` },
      event: {
        kind: "release.rollback",
        message: `app "${app.name}" goes back to what release ${release.number} was`,
        details: { from: app.target, to: release.number },
      },
    };
  });
}

/** The release to go back to: the active one while another is on its way or failed; else the newest that served and was different. */
function releaseBefore({ store }: OperationContext, app: App): Release | null {
  const releases = objects.releases(store, app.space, app.name).map(({ value }) => value);
  if (app.active !== null && app.active !== app.target) return releases.find(({ number }) => number === app.active) ?? null;
  const current = releases.find(({ number }) => number === app.target);
  const served = releases.filter(
    (release) =>
      release.number < (app.target ?? 0) &&
      release.state === "superseded" &&
      release.failure === null &&
      !isEqualJson(release.spec, current?.spec),
  );
  return served.at(-1) ?? null;
}

/** Replaces all instances, or those of one process, by new ones of the same release, one after another. */
export function restart(context: OperationContext, call: AppCall, process?: ProcessName): Promise<Changed> {
  return changeApp(context, call, (app) => {
    if (process !== undefined) requireProcess(context, app, process);
    // Unique, because every commit has its own revision and this one is made from the latest.
    const token = `r${context.store.revision + 1}`;
    const next: App =
      process === undefined
        ? { ...app, restartToken: token, restartTokens: {} }
        : { ...app, restartTokens: { ...app.restartTokens, [process]: token } };
    const what = process === undefined ? `app "${app.name}"` : `process "${process}" of "${app.name}"`;
    return { app: next, event: { kind: "app.restarted", message: `${what} is restarted` } };
  });
}

/**
 * A fresh start: new instances of what is wanted now, in place of all there are, by a release with the same spec. Earlier ones that were made so are
 * forgotten, so that many of them do not push out the releases that people made.
 * @throws {DroverError} RELEASE_NOT_FOUND if nothing is wanted yet
 */
export function redeploy(context: OperationContext, call: AppCall): Promise<Changed> {
  return changeApp(context, call, (app) => {
    const spec = targetSpec(context.store, app);
    if (spec === null) throw new DroverError("RELEASE_NOT_FOUND", `app "${app.name}" has no release yet`, { hint: "Apply it first." });
    return {
      app,
      release: { spec, cause: redeployCause },
      forget: (release) => release.cause === redeployCause && release.number !== app.active && release.number !== app.target,
      event: { kind: "app.redeployed", message: `app "${app.name}" starts afresh with what release ${app.target} was` },
    };
  });
}

const redeployCause = "redeploy";

export function setStopped(context: OperationContext, call: AppCall, stopped: boolean): Promise<Changed> {
  return changeApp(context, call, (app) => ({
    app: app.stopped === stopped ? null : { ...app, stopped },
    event: stopped
      ? { kind: "app.stopped", message: `app "${app.name}" is stopped` }
      : { kind: "app.started", message: `app "${app.name}" is started` },
  }));
}

/** The page that stands in for the app on its HTTP routes; null: the app itself again. It stays through deploys. */
export function setMaintenance(context: OperationContext, call: AppCall, page: Maintenance | null): Promise<Changed> {
  return changeApp(context, call, ({ maintenance = null, ...app }) => ({
    app: isEqualJson(maintenance, page) ? null : { ...app, ...(page === null ? {} : { maintenance: page }) },
    event:
      page === null
        ? { kind: "app.maintenance_ended", message: `app "${app.name}" answers by itself again` }
        : { kind: "app.maintenance", message: `app "${app.name}" is in maintenance: ${page.message}` },
  }));
}

/** Everything of the app is stopped, then forgotten. */
export function destroy(context: OperationContext, call: AppCall): Promise<Changed> {
  return changeApp(context, call, (app) => ({
    app: { ...app, destroying: true, recreate: false },
    event: { kind: "app.destroying", message: `app "${app.name}" is destroyed` },
  }));
}

function without<V>(record: Readonly<Record<string, V>>, names: readonly string[]): Record<string, V> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name)));
}

function sorted<V>(record: Readonly<Record<string, V>>): Record<string, V> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
