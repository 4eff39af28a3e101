import { type App, isBeingDestroyed, type Place, type ProcessSpec, type ReleaseSpec } from "#model/app.ts";
import type { MetricsPlace } from "#model/app-metrics.ts";
import type { AppManifest } from "#model/manifest.ts";
import type { AppName, ProcessName } from "#model/names.ts";
import { servingProcess } from "#model/serving-process.ts";
import { type FoundProblem, throwProblems } from "../manifests/problems.ts";
import type { DeclaredApp } from "../manifests/read-manifests.ts";
import type { Stored } from "../objects/objects.ts";
import { type Draft, draftApp, livingApp, type Surroundings } from "./app-draft.ts";
import { portProblems, requireSecrets, routeProblems } from "./draft-checks.ts";
import { composeEnv, declaredProcesses, type ProcessInput, releaseSpec } from "./release-spec.ts";
import { targetSpec } from "./releases.ts";
import { scaleRules } from "./scale-rules.ts";

/** An app as its manifest wants it now. */
export interface DesiredApp {
  readonly declared: DeclaredApp;
  readonly stored: Stored<App> | null;
  readonly app: App;
  /** Null in a plan when the source has to be built before it is known. */
  readonly spec: ReleaseSpec | null;
  readonly warnings: readonly string[];
}

type Address = ReleaseSpec["needs"][AppName];

/**
 * All declared apps, resolved against each other and everything else.
 * @throws {DroverError} MANIFEST_INVALID with every place; SECRET_MISSING; ARTIFACT_NOT_FOUND; CANNOT_PLACE.
 */
export function desireApps(declared: readonly DeclaredApp[], existing: ReadonlyMap<AppName, Stored<App>>, surroundings: Surroundings) {
  const problems: FoundProblem[] = [];
  // Ports that exist already are taken before new ones are chosen, whatever the order of the documents.
  for (const { manifest } of declared) {
    for (const port of Object.values(existing.get(manifest.app)?.value.servicePorts ?? {})) surroundings.taken.add(port);
    for (const { port } of Object.values(declaredProcesses(manifest))) if (typeof port === "number") surroundings.taken.add(port);
  }
  const drafts = declared.map((app) => draftApp(app, existing.get(app.manifest.app) ?? null, surroundings, problems));
  problems.push(...routeProblems(drafts, surroundings), ...portProblems(drafts, surroundings));
  throwProblems(problems);
  requireSecrets(declared, surroundings);
  const addresses = addressBook(drafts, surroundings);
  return {
    apps: drafts.map((draft) => desiredApp(draft, surroundings, addresses)),
    addressOf: (app: AppName): Address | null => addresses.get(app) ?? null,
  };
}

/** Where each app of the space is reached by those that need it. */
function addressBook(drafts: readonly Draft[], { others, space, context }: Surroundings): ReadonlyMap<AppName, Address> {
  const book = new Map<AppName, Address>();
  const add = (
    name: AppName,
    processes: Readonly<Record<ProcessName, Pick<ProcessSpec, "port" | "protocol">>>,
    ports: App["servicePorts"],
  ) => {
    const process = servingProcess((Object.keys(processes) as ProcessName[]).filter((one) => processes[one]?.port !== "none"));
    const port = process === null ? undefined : ports[process];
    if (process !== null && port !== undefined) book.set(name, { port, protocol: processes[process]?.protocol ?? "http" });
  };
  for (const app of others) {
    if (app.space === space.name && !isBeingDestroyed(app))
      add(app.name, targetSpec(context.store, app)?.processes ?? {}, app.servicePorts);
  }
  for (const { declared, processes, ports } of drafts) add(declared.manifest.app, processes, ports);
  return book;
}

function desiredApp(draft: Draft, surroundings: Surroundings, addresses: ReadonlyMap<AppName, Address>): DesiredApp {
  const { declared, stored, artifact, processes, isBuilt, routes, ports } = draft;
  const { manifest } = declared;
  const { space, nowMs } = surroundings;
  const before = livingApp(stored);
  const warnings = [...draft.warnings];
  const needs: Record<AppName, Address> = {};
  for (const need of [...manifest.needs].sort()) {
    const address = addresses.get(need);
    if (address === undefined) warnings.push(`needs "${need}", which space "${space.name}" does not have (yet), or which has no port`);
    else needs[need] = address;
  }
  if (before?.stopped === true) warnings.push("it is stopped, and stays so until `drover start`");
  const manual = {
    env: without(before?.manual.env ?? {}, Object.keys(manifest.env)),
    instances: without(before?.manual.instances ?? {}, declaredCounts(draft)),
  };
  const scale = scaleRules(manifest);
  const app: App = {
    name: manifest.app,
    space: space.name,
    manifest: declared.written,
    manual,
    instances: instancesOf(draft, before, manual.instances, scale),
    scale,
    routes,
    deploy: manifest.deploy,
    lastRelease: stored?.value.lastRelease ?? 0,
    target: before?.target ?? null,
    active: before?.active ?? null,
    stopped: before?.stopped ?? false,
    // What is being destroyed goes first, so that the new app finds nothing of it: neither its instances nor its files.
    ...(stored?.value.destroying === true ? { destroying: true, recreate: true } : { destroying: false }),
    restartToken: before?.restartToken ?? "",
    servicePorts: ports,
    openAddresses: openAddresses(draft),
    ...infoOf(manifest, before),
    ...metricsOf(manifest, before),
    ...statsdOf(manifest, before),
    place: placeOf(manifest),
    createdAtMs: before?.createdAtMs ?? nowMs,
  };
  const spec = isBuilt
    ? releaseSpec({
        manifest,
        processes: processes as Readonly<Record<ProcessName, ProcessSpec>>,
        artifact,
        env: composeEnv(space.env, manifest.env, manual.env),
        secrets: secretVersions(manifest.secrets, surroundings),
        needs,
      })
    : null;
  return { declared, stored, app: before === null ? app : { ...before, ...app }, spec, warnings };
}

/** Apps were checked to name only secrets that are there. */
function secretVersions(names: readonly string[], { context: { secrets }, space }: Surroundings): Record<string, number> {
  return Object.fromEntries([...names].sort().map((name) => [name, secrets.latest(space.name, name)?.version ?? 0]));
}

function declaredCounts({ declared }: Draft): readonly string[] {
  return Object.entries(declaredProcesses(declared.manifest))
    .filter(([, { instances, scale }]) => instances !== undefined || scale !== undefined)
    .map(([name]) => name);
}

/** The manifest's counts; where it says none, what was set by hand, then what there is, then one. Within their bounds for those that follow their load. */
function instancesOf(
  { declared, processes }: Draft,
  before: App | null,
  manual: App["manual"]["instances"],
  scale: NonNullable<App["scale"]>,
): App["instances"] {
  const stated = declaredProcesses(declared.manifest);
  return Object.fromEntries(
    (Object.keys(processes) as ProcessName[]).map((name) => {
      const rule = Object.hasOwn(scale, name) ? scale[name] : undefined;
      if (rule !== undefined) return [name, Math.min(rule.max, Math.max(rule.min, before?.instances[name] ?? Math.max(1, rule.min)))];
      const inherited = Object.hasOwn(manual, name) ? manual[name] : before?.instances[name];
      const wanted = (Object.hasOwn(stated, name) ? stated[name]?.instances : undefined) ?? inherited ?? 1;
      return [name, processes[name]?.onlyOne === true ? Math.min(1, wanted) : wanted];
    }),
  );
}

function openAddresses({ declared, ports }: Draft): readonly ProcessName[] {
  const processes = declaredProcesses(declared.manifest);
  return (Object.keys(ports) as ProcessName[]).filter((name) => processes[name]?.address === "always").sort();
}

/** Nothing where it is not said and never was, so that an app of before is not changed by it. */
function infoOf(manifest: AppManifest, before: App | null): Pick<App, "info"> {
  const stated = Object.entries(declaredProcesses(manifest)).flatMap(([name, { info }]) => (info === undefined ? [] : [[name, info]]));
  return stated.length === 0 && before?.info === undefined ? {} : { info: Object.fromEntries(stated) };
}

function metricsOf(manifest: AppManifest, before: App | null): Pick<App, "metrics"> {
  const stated = Object.entries(declaredProcesses(manifest)).flatMap(([name, { metrics }]) =>
    metrics === undefined ? [] : [[name, placeOfMetrics(metrics)]],
  );
  return stated.length === 0 && before?.metrics === undefined ? {} : { metrics: Object.fromEntries(stated) };
}

function placeOfMetrics({ path, port, every }: NonNullable<ProcessInput["metrics"]>): MetricsPlace {
  return { path, port: port ?? null, ...(every === undefined ? {} : { everyMs: every }) };
}

function statsdOf(manifest: AppManifest, before: App | null): Pick<App, "statsd"> {
  const stated = Object.entries(declaredProcesses(manifest)).flatMap(([name, { statsd }]) =>
    statsd === true ? [name as ProcessName] : [],
  );
  return stated.length === 0 && before?.statsd === undefined ? {} : { statsd: stated.sort() };
}

function placeOf({ place }: AppManifest): Place | null {
  return place === undefined ? null : { labels: place.labels, pool: place.pool ?? null, spread: place.spread };
}

function without<V>(record: Readonly<Record<string, V>>, names: readonly string[]): Record<string, V> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name)));
}
