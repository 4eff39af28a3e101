import type { Applied, ApplyRequest, Plan, PlannedChange } from "#model/api.ts";
import { type App, type AppRoute, isBeingDestroyed, type Space } from "#model/app.ts";
import { appManifest } from "#model/manifest.ts";
import type { AppName, SpaceName } from "#model/names.ts";
import { type Declared, type DeclaredApp, readManifests } from "../manifests/read-manifests.ts";
import { keys, objects, put, type Stored, unchanged } from "../objects/objects.ts";
import type { Change, Condition } from "../store/store.ts";
import { livingApp, type Surroundings } from "./app-draft.ts";
import { routeOwners } from "./app-routes.ts";
import { draftLadder } from "./apply-ladder.ts";
import { draftPools } from "./apply-pools.ts";
import { changesWhatOthersSend, requireShippingSecrets, shippingWarnings, shipsSince } from "./apply-shipping.ts";
import type { OperationContext } from "./context.ts";
import { type DesiredApp, desireApps } from "./desired-apps.ts";
import { differences } from "./differences.ts";
import type { Receipt } from "./receipt.ts";
import { declaredProcesses, isEqualJson } from "./release-spec.ts";
import { newRelease, targetSpec } from "./releases.ts";
import { takenPorts } from "./service-ports.ts";
import { transact } from "./transact.ts";

/** What a set of documents changes besides apps and their space. `logs-of-others`: where lines go that are not the space's. */
export type BeyondApps = "ladder" | "pool" | "logs-of-others";

export interface ApplyOptions {
  readonly receipt?: Receipt | null;
  /** Throws unless each declared app is at the revision that the caller read; 0: it does not exist. */
  readonly requireApp?: (current: number) => void;
  readonly requireSpace?: (current: number) => void;
  /** Throws unless the caller may change more than apps and their space. */
  readonly beyondApps?: (kind: BeyondApps, space: SpaceName) => void;
}

/** A pass over the whole set: what would change, and the writes that do it. */
export interface ApplyDraft {
  readonly plan: Omit<Plan, "revision">;
  readonly beyond: Set<BeyondApps>;
  readonly releases: Applied["releases"];
  readonly conditions: Condition[];
  readonly changes: Change[];
  readonly events: { readonly kind: string; readonly app: string | null; readonly subject?: string; readonly message: string }[];
}

/** What `apply` with the same request would change. Writes nothing; artifacts that are not built yet are taken as to be built. */
export function planApply(context: OperationContext, request: ApplyRequest): Plan {
  const declared = readManifests(request);
  return { ...draftApply(context, request, declared, "plan").plan, revision: context.store.revision };
}

/**
 * Makes the declared set the wanted one, in one commit: all or nothing, however many apps. Declaring what is wanted already changes nothing
 * and makes no revision.
 * @throws {DroverError} MANIFEST_INVALID, NOT_YET_SUPPORTED, VARIABLE_MISSING, SECRET_MISSING, ARTIFACT_NOT_FOUND, CANNOT_PLACE, CONFLICT.
 */
export async function apply(context: OperationContext, request: ApplyRequest, options: ApplyOptions = {}): Promise<Applied> {
  const declared = readManifests(request);
  let draft: ApplyDraft | null = null;
  const { revision, ...answer } = await transact(context.store, options.receipt ?? null, () => {
    draft = draftApply(context, request, declared, "apply", options);
    for (const { kind, action } of draft.plan.changes)
      if ((kind === "ladder" || kind === "pool") && action !== "none") draft.beyond.add(kind);
    for (const kind of draft.beyond) options.beyondApps?.(kind, declared.space);
    const plan: Plan = { ...draft.plan, revision: context.store.revision };
    return { answer: { plan, releases: draft.releases }, conditions: draft.conditions, changes: draft.changes };
  });
  for (const event of (draft as ApplyDraft | null)?.events ?? []) context.events.append({ ...event, space: declared.space });
  return { ...answer, revision };
}

function draftApply(
  context: OperationContext,
  request: ApplyRequest,
  declared: Declared,
  mode: "plan" | "apply",
  { requireApp, requireSpace }: ApplyOptions = {},
): ApplyDraft {
  const { store, clock } = context;
  const nowMs = clock.nowMs();
  const draft: ApplyDraft = {
    plan: { space: declared.space, changes: [] },
    beyond: new Set(),
    releases: [],
    conditions: [],
    changes: [],
    events: [],
  };
  requireSpace?.(objects.space(store, declared.space)?.modRevision ?? 0);
  const space = draftSpace(context, declared, request.prune, draft, nowMs);
  const every = objects.apps(store).filter(({ value }) => !isBeingDestroyed(value) || value.space !== declared.space);
  const existing = new Map(objects.apps(store, declared.space).map((stored) => [stored.value.name, stored]));
  for (const { manifest } of declared.apps) requireApp?.(existing.get(manifest.app)?.modRevision ?? 0);
  const names = new Set(declared.apps.map(({ manifest }) => manifest.app));
  const others = every.filter(({ value }) => value.space !== declared.space || !names.has(value.name)).map(({ value }) => value);
  const gone = request.prune ? [...existing.values()].filter(({ value }) => !names.has(value.name) && !isBeingDestroyed(value)) : [];
  const goneNames = new Set(gone.map(({ value }) => value.name));
  const staying = others.filter((app) => app.space !== declared.space || !goneNames.has(app.name));
  const surroundings: Surroundings = {
    context,
    space,
    others: staying,
    owners: routeOwners(staying),
    taken: takenPorts(staying, context.reservedPorts),
    artifacts: request.artifacts,
    mode,
    nowMs,
  };
  const desired = desireApps(declared.apps, existing, surroundings);
  for (const one of desired.apps) draftApp(context, request, one, draft, nowMs);
  for (const stored of gone) draftDestroy(stored, draft);
  draftPools(context, declared, request.prune, draft);
  draftLadder(context, declared, goneNames, request.prune, draft);
  draftDependents(context, space, existing, names, goneNames, desired.addressOf, draft, nowMs);
  return draft;
}

function draftSpace(context: OperationContext, declared: Declared, prune: boolean, draft: ApplyDraft, nowMs: number): Space {
  const stored = objects.space(context.store, declared.space);
  const manifest = declared.spaceManifest?.manifest;
  requireShippingSecrets(context, declared);
  const logs = manifest === undefined ? stored?.value.logs : manifest.logs;
  if (changesWhatOthersSend(stored?.value.logs, logs)) draft.beyond.add("logs-of-others");
  const space: Space = {
    name: declared.space,
    domain: manifest?.domain ?? (manifest === undefined ? stored?.value.domain : undefined) ?? `${declared.space}.localhost`,
    env: manifest?.env ?? stored?.value.env ?? {},
    createdAtMs: stored?.value.createdAtMs ?? nowMs,
    ...(logs === undefined ? {} : { logs, shipsSinceMs: shipsSince(stored?.value ?? null, logs, nowMs) }),
  };
  const changes = differences(stored === null ? {} : shownSpace(stored.value), shownSpace(space));
  const action = stored === null ? "create" : changes.length > 0 ? "update" : "none";
  if (declared.spaceManifest !== null || action === "create") {
    (draft.plan.changes as PlannedChange[]).push({
      kind: "space",
      space: space.name,
      name: space.name,
      action,
      changes: [...changes],
      source: null,
      build: null,
      file: declared.spaceManifest?.file ?? "",
      warnings: [...declared.warnings, ...shippingWarnings(context, declared, prune)],
    });
  }
  // The condition also holds when the space stays as it is: nobody may destroy it under the apps.
  draft.conditions.push(unchanged(keys.space(space.name), stored));
  if (action === "none") return stored?.value ?? space;
  draft.changes.push(put(keys.space(space.name), space));
  draft.events.push({
    kind: action === "create" ? "space.created" : "space.changed",
    app: null,
    message: `space "${space.name}" was ${action}d`,
  });
  return space;
}

function shownSpace({ domain, env, logs }: Space) {
  return { domain, env, ...(logs === undefined ? {} : { logs }) };
}

/** Of a space, what its apps get. */
function givenToApps({ domain, env }: Space) {
  return { domain, env };
}

function draftApp(context: OperationContext, request: ApplyRequest, desired: DesiredApp, draft: ApplyDraft, nowMs: number): void {
  const { declared, stored, app, spec, warnings } = desired;
  const before = livingApp(stored);
  const current = before === null ? null : targetSpec(context.store, before);
  const failed = before !== null && isTargetFailed(context, before);
  const needsRelease = spec !== null && (current === null || request.force || failed || !isEqualJson(spec, current));
  const isSame = before !== null && isEqualJson({ ...before }, { ...app });
  const action = before === null ? "create" : needsRelease || spec === null ? "release" : isSame ? "none" : "update";
  (draft.plan.changes as PlannedChange[]).push({
    kind: "app",
    space: app.space,
    name: app.name,
    action,
    changes: [...differences(before === null ? {} : effective(before, current), effective(app, spec))],
    source: declared.manifest.source ?? null,
    build: buildOf(declared),
    file: declared.file,
    warnings: [...warnings],
  });
  if (action === "none" || spec === null) return;
  const release = needsRelease ? newRelease(context, app, spec, request.cause, nowMs) : null;
  draft.conditions.push(unchanged(keys.app(app.space, app.name), stored), ...(release?.conditions ?? []));
  draft.changes.push(put(keys.app(app.space, app.name), release?.app ?? app), ...(release?.changes ?? []));
  if (release !== null) draft.releases.push({ space: app.space, app: app.name, release: release.app.lastRelease });
  draft.events.push({
    kind: action === "create" ? "app.created" : action === "release" ? "release.created" : "app.changed",
    app: app.name,
    ...(release === null ? {} : { subject: String(release.app.lastRelease) }),
    message:
      release === null
        ? `app "${app.name}" changed without a new release (${request.cause})`
        : `release ${release.app.lastRelease} of "${app.name}" is wanted (${request.cause})`,
  });
}

/** A release that failed is not what anybody wants: declaring the same again is another attempt. */
function isTargetFailed({ store }: OperationContext, app: App): boolean {
  return app.target !== null && objects.release(store, app.space, app.name, app.target)?.value.state === "failed";
}

/** What a plan shows of an app: all that has an effect, and nothing that follows from other parts of it. */
function effective(app: App, spec: DesiredApp["spec"]) {
  const open = (app.openAddresses ?? []).length > 0 ? { openAddresses: app.openAddresses } : {};
  const place = app.place == null ? {} : { place: app.place };
  const scale = Object.keys(app.scale ?? {}).length > 0 ? { scale: app.scale } : {};
  const info = Object.keys(app.info ?? {}).length > 0 ? { info: app.info } : {};
  return { instances: app.instances, routes: app.routes, ...open, ...place, ...scale, ...info, deploy: app.deploy, release: spec };
}

function buildOf({ manifest }: DeclaredApp): PlannedChange["build"] {
  const { source, build } = manifest;
  if (source === undefined) return null;
  const processes = Object.values(declaredProcesses(manifest));
  const hasRun = processes.length > 0 && processes.every(({ run }) => run !== undefined);
  return { run: build?.run ?? null, timeoutMs: build?.timeout ?? 600_000, memoryBytes: build?.memory ?? 2 * 2 ** 30, hasRun };
}

function draftDestroy(stored: Stored<App>, draft: ApplyDraft): void {
  const app = stored.value;
  (draft.plan.changes as PlannedChange[]).push({
    kind: "app",
    space: app.space,
    name: app.name,
    action: "destroy",
    changes: [],
    source: null,
    build: null,
    file: "",
    warnings: [],
  });
  draft.conditions.push(unchanged(stored.key, stored));
  draft.changes.push(put(stored.key, { ...app, destroying: true, recreate: false } satisfies App));
  draft.events.push({ kind: "app.destroying", app: app.name, message: `app "${app.name}" is destroyed: no document declares it` });
}

/** Apps that no document names, but whose surroundings changed: the space's environment or domain, or the address of an app they need. */
function draftDependents(
  context: OperationContext,
  space: Space,
  existing: ReadonlyMap<AppName, Stored<App>>,
  declared: ReadonlySet<AppName>,
  gone: ReadonlySet<AppName>,
  addressOf: (app: AppName) => { readonly port: number; readonly protocol: "http" | "tcp" } | null,
  draft: ApplyDraft,
  nowMs: number,
): void {
  const before = objects.space(context.store, space.name as SpaceName)?.value;
  const spaceChanged = before !== undefined && !isEqualJson(givenToApps(before), givenToApps(space));
  for (const stored of existing.values()) {
    const app = stored.value;
    if (declared.has(app.name) || gone.has(app.name) || isBeingDestroyed(app)) continue;
    const spec = targetSpec(context.store, app);
    const written = app.manifest as { readonly needs?: readonly AppName[] };
    const needsDeclared = written.needs?.some((need) => declared.has(need)) ?? false;
    if (spec === null || !(spaceChanged || needsDeclared)) continue;
    const manifest = appManifest.parse(app.manifest);
    const needs = { ...spec.needs };
    for (const need of manifest.needs) {
      const address = addressOf(need);
      if (address !== null) needs[need] = address;
    }
    const moved = before === undefined ? app.routes : app.routes.map((route) => moveRoute(route, app.name, before.domain, space.domain));
    const env = spaceChanged && before !== undefined ? replaceEnv(spec.env, before.env, space.env, manifest.env, app.manual.env) : spec.env;
    const next = { ...spec, env, needs };
    const changedApp: App = { ...app, routes: moved };
    const needsRelease = !isEqualJson(next, spec);
    if (!needsRelease && isEqualJson(moved, app.routes)) continue;
    const release = needsRelease ? newRelease(context, changedApp, next, "apply", nowMs) : null;
    (draft.plan.changes as PlannedChange[]).push({
      kind: "app",
      space: app.space,
      name: app.name,
      action: needsRelease ? "release" : "update",
      changes: [...differences(effective(app, spec), effective(changedApp, next))],
      source: null,
      build: null,
      file: "",
      warnings: ["changes because of its surroundings"],
    });
    draft.conditions.push(unchanged(stored.key, stored), ...(release?.conditions ?? []));
    draft.changes.push(put(stored.key, release?.app ?? changedApp), ...(release?.changes ?? []));
    if (release !== null) {
      draft.releases.push({ space: app.space, app: app.name, release: release.app.lastRelease });
      draft.events.push({
        kind: "release.created",
        app: app.name,
        subject: String(release.app.lastRelease),
        message: `release ${release.app.lastRelease} of "${app.name}" is wanted: its surroundings changed`,
      });
    }
  }
}

function moveRoute(route: AppRoute, app: AppName, from: string, to: string): AppRoute {
  return "host" in route && route.host === `${app}.${from}` ? { ...route, host: `${app}.${to}` } : route;
}

/** The release's environment with the space's part exchanged; what manifest or hand set stays. */
function replaceEnv(
  env: Readonly<Record<string, string>>,
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
  manifest: Readonly<Record<string, string>>,
  manual: Readonly<Record<string, string | null>>,
): Readonly<Record<string, string>> {
  const isOwn = (name: string) => Object.hasOwn(manifest, name) || Object.hasOwn(manual, name);
  const kept = Object.entries(env).filter(([name]) => isOwn(name) || !Object.hasOwn(before, name));
  const added = Object.entries(after).filter(([name]) => !isOwn(name));
  return Object.fromEntries([...kept, ...added].sort(([a], [b]) => (a < b ? -1 : 1)));
}
