import { type App, isBeingDestroyed, type Place, type ProcessSpec, type ReleaseSpec, type Space } from "#model/app.ts";
import type { MetricsPlace } from "#model/app-metrics.ts";
import { DroverError } from "#model/errors.ts";
import type { AppManifest } from "#model/manifest.ts";
import { type AppName, appId, type Digest, type ProcessName } from "#model/names.ts";
import { servingProcess } from "#model/serving-process.ts";
import { type FoundProblem, nearest, show, throwProblems } from "../manifests/problems.ts";
import type { DeclaredApp } from "../manifests/read-manifests.ts";
import type { Stored } from "../objects/objects.ts";
import { appRoutes, type RouteOwners, routeKey } from "./app-routes.ts";
import { artifactRecord } from "./artifacts.ts";
import type { OperationContext } from "./context.ts";
import { composeEnv, type DraftProcess, declaredProcesses, draftProcesses, type ProcessInput, releaseSpec } from "./release-spec.ts";
import { targetSpec } from "./releases.ts";
import { scaleRules } from "./scale-rules.ts";
import { servicePorts } from "./service-ports.ts";

/** An app as its manifest wants it now. */
export interface DesiredApp {
  readonly declared: DeclaredApp;
  readonly stored: Stored<App> | null;
  readonly app: App;
  /** Null in a plan when the source has to be built before it is known. */
  readonly spec: ReleaseSpec | null;
  readonly warnings: readonly string[];
}

/** What the declared apps meet: their space, and all other apps. */
export interface Surroundings {
  readonly context: OperationContext;
  readonly space: Space;
  readonly others: readonly App[];
  readonly owners: RouteOwners;
  readonly taken: Set<number>;
  readonly artifacts: Readonly<Record<string, Digest>>;
  readonly mode: "plan" | "apply";
  readonly nowMs: number;
}

type Address = ReleaseSpec["needs"][AppName];

interface Draft {
  readonly declared: DeclaredApp;
  readonly stored: Stored<App> | null;
  readonly artifact: Digest | null;
  readonly processes: Readonly<Record<ProcessName, DraftProcess>>;
  readonly isBuilt: boolean;
  readonly routes: App["routes"];
  readonly ports: App["servicePorts"];
  readonly warnings: string[];
}

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
  checkRoutes(drafts, surroundings, problems);
  checkFixedPorts(drafts, surroundings, problems);
  throwProblems(problems);
  requireSecrets(declared, surroundings);
  const addresses = addressBook(drafts, surroundings);
  return {
    apps: drafts.map((draft) => desiredApp(draft, surroundings, addresses)),
    addressOf: (app: AppName): Address | null => addresses.get(app) ?? null,
  };
}

function draftApp(declared: DeclaredApp, stored: Stored<App> | null, surroundings: Surroundings, problems: FoundProblem[]): Draft {
  const { manifest } = declared;
  const { store } = surroundings.context;
  const before = livingApp(stored);
  const kept = before === null ? null : (targetSpec(store, before)?.artifact ?? null);
  const given = Object.hasOwn(surroundings.artifacts, manifest.app) ? (surroundings.artifacts[manifest.app] as Digest) : null;
  const artifact = manifest.source === undefined ? null : (given ?? kept);
  const record = artifact === null ? null : artifactRecord(store, artifact);
  if (given !== null && record === null) {
    throw new DroverError("ARTIFACT_NOT_FOUND", `the artifact ${given} of app "${manifest.app}" is not known here`, {
      hint: "Build its source again with `drover push`.",
    });
  }
  const isBuilt = manifest.source === undefined || artifact !== null;
  if (!isBuilt && surroundings.mode === "apply") {
    throw new DroverError("ARTIFACT_NOT_FOUND", `the source of app "${manifest.app}" was not built yet`, {
      hint: "Use `drover push`, or `drover apply` on the machine that has the source: both build it first.",
    });
  }
  // An artifact whose record was collected is in use by a release still: its processes are the release's.
  const found = record?.processes ?? keptProcesses(surroundings, before, artifact);
  const processes = draftProcesses(manifest, isBuilt ? found : (found ?? {}));
  const warnings: string[] = [];
  for (const [name, process] of Object.entries(processes)) {
    if (process.run === null && isBuilt) {
      problems.push(
        problemAt(
          declared,
          ["processes", name],
          false,
          "no command line",
          `\`run\`, because the source has no process "${name}"`,
          nearest(name, Object.keys(found)),
        ),
      );
    }
  }
  const routes = appRoutes(manifest.app, surroundings.space.domain, manifest, processes);
  problems.push(...unwakable(declared, processes, routes));
  const ported = (Object.keys(processes) as ProcessName[]).filter((name) => processes[name]?.port !== "none");
  const id = `${store.installation} ${appId(surroundings.space.name, manifest.app)}`;
  const ports = servicePorts(id, ported, stored?.value.servicePorts ?? {}, surroundings.taken);
  return { declared, stored, artifact, processes, isBuilt, routes, ports, warnings };
}

/** Who could wake a process without instances is whoever asks the edge for it, a figure or a command that is above nothing, or the hour. */
function unwakable(declared: DeclaredApp, processes: Draft["processes"], routes: Draft["routes"]): readonly FoundProblem[] {
  return Object.entries(declaredProcesses(declared.manifest)).flatMap(([name, { scale }]) => {
    if (scale?.min !== 0) return [];
    const wakesByRule = scale.on.metric !== undefined || scale.on.command !== undefined || scale.schedule.length > 0;
    const path = [...(declared.manifest.scale === scale ? [] : ["processes", name]), "scale", "min"];
    const problem = (wanted: string) => [problemAt(declared, path, false, "0", wanted, null)];
    if (processes[name as ProcessName]?.port === "none")
      return wakesByRule
        ? []
        : problem("at least 1, because the process has no port, and no `metric`, `command` or `schedule`, so that nothing could wake it");
    const isUdp = routes.some((route) => route.to === name && "port" in route && route.protocol === "udp");
    return isUdp ? problem("at least 1, because no datagram is held until an instance is ready") : [];
  });
}

function keptProcesses({ context }: Surroundings, app: App | null, artifact: Digest | null): Readonly<Record<string, string>> {
  const spec = app === null ? null : targetSpec(context.store, app);
  if (spec === null || artifact === null) return {};
  return Object.fromEntries(Object.entries(spec.processes).map(([name, { run }]) => [name, run]));
}

function checkRoutes(drafts: readonly Draft[], { space, owners, context }: Surroundings, problems: FoundProblem[]): void {
  const seen = new Map<string, { readonly draft: Draft; readonly index: number }>();
  for (const draft of drafts) {
    const { declared, routes, processes, isBuilt } = draft;
    const at = (index: number) => (declared.manifest.routes === undefined ? ["app"] : ["routes", String(index)]);
    for (const [index, route] of routes.entries()) {
      const key = routeKey(route);
      const where = key;
      const process = Object.hasOwn(processes, route.to) ? processes[route.to] : undefined;
      if (process === undefined && isBuilt) {
        const close = nearest(route.to, Object.keys(processes));
        problems.push(
          problemAt(
            declared,
            [...at(index), "to"],
            false,
            show(route.to),
            `a process of the app: ${Object.keys(processes).join(", ")}`,
            close,
          ),
        );
      } else if (process?.port === "none") {
        problems.push(
          problemAt(declared, [...at(index), "to"], false, `${show(route.to)}, which has no port`, "a process with a port", null),
        );
      }
      if (context.isEncrypted === true && "port" in route && route.protocol === "udp") {
        const wanted = "tcp, because traffic between machines is encrypted here (--encrypt) and datagrams cannot be";
        problems.push(problemAt(declared, [...at(index), "protocol"], false, '"udp"', wanted, null));
      }
      const owner = owners.get(key);
      const twin = seen.get(key);
      if (owner !== undefined) {
        problems.push(
          problemAt(
            declared,
            at(index),
            false,
            where,
            `a route that no other app has; app "${owner.name}" of space "${owner.space}" has it`,
            null,
          ),
        );
      } else if (twin !== undefined) {
        const twinPath = twin.draft.declared.manifest.routes === undefined ? ["app"] : ["routes", String(twin.index)];
        const { line, column } = twin.draft.declared.place(twinPath);
        problems.push(
          problemAt(
            declared,
            at(index),
            false,
            where,
            `it once; it is declared at ${twin.draft.declared.file}:${line}:${column} already, in space "${space.name}"`,
            null,
          ),
        );
      } else seen.set(key, { draft, index });
    }
  }
}

/** Two processes cannot listen on one port of one machine; Drover's own ports are nobody's. */
function checkFixedPorts(drafts: readonly Draft[], { context, others }: Surroundings, problems: FoundProblem[]): void {
  const owners = new Map<number, string>();
  for (const port of context.reservedPorts) owners.set(port, "Drover itself");
  for (const app of others) {
    if (isBeingDestroyed(app)) continue;
    for (const route of app.routes)
      if ("port" in route && route.protocol === "tcp") owners.set(route.port, `a route of app "${app.name}" in space "${app.space}"`);
    for (const port of Object.values(app.servicePorts))
      owners.set(port, `the service address of app "${app.name}" in space "${app.space}"`);
    for (const process of Object.values(targetSpec(context.store, app)?.processes ?? {})) {
      if (typeof process.port === "number") owners.set(process.port, `app "${app.name}" of space "${app.space}"`);
    }
  }
  for (const { declared, routes } of drafts) {
    for (const [index, route] of routes.entries()) {
      if (!("port" in route) || route.protocol === "udp") continue;
      const owner = owners.get(route.port);
      if (owner !== undefined)
        problems.push(
          problemAt(declared, ["routes", String(index), "port"], false, String(route.port), `a port that is free; ${owner} has it`, null),
        );
    }
  }
  for (const { declared, processes, warnings } of drafts) {
    for (const [name, { port }] of Object.entries(processes)) {
      if (typeof port !== "number") continue;
      const path = declared.manifest.port !== undefined && name === "web" ? ["port"] : ["processes", name, "port"];
      const owner = owners.get(port);
      if (owner !== undefined) problems.push(problemAt(declared, path, false, String(port), `a port that is free; ${owner} has it`, null));
      owners.set(port, `app "${declared.manifest.app}"`);
      const wanted = declaredProcesses(declared.manifest)[name as ProcessName]?.instances ?? 1;
      if (wanted > 1) warnings.push(`process "${name}" wants ${wanted} instances on the fixed port ${port}: one a machine can run`);
    }
  }
}

function requireSecrets(declared: readonly DeclaredApp[], { context, space }: Surroundings): void {
  const missing = declared.flatMap(({ manifest, file, place }) =>
    manifest.secrets.flatMap((name, i) =>
      context.secrets.latest(space.name, name) === null
        ? [{ app: manifest.app, secret: name, file, ...place(["secrets", String(i)]) }]
        : [],
    ),
  );
  const [first] = missing;
  if (first === undefined) return;
  throw new DroverError(
    "SECRET_MISSING",
    `app "${first.app}" names the secret ${first.secret}, which space "${space.name}" does not have`,
    {
      hint: `Set it with \`drover secret set ${first.secret} --space ${space.name}\`, then apply again.`,
      details: { missing },
    },
  );
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

/** The app as one to go on with; null if there is none, or only what is being destroyed. */
export function livingApp(stored: Stored<App> | null): App | null {
  return stored === null || isBeingDestroyed(stored.value) ? null : stored.value;
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

function placeOf({ place }: AppManifest): Place | null {
  return place === undefined ? null : { labels: place.labels, pool: place.pool ?? null, spread: place.spread };
}

function without<V>(record: Readonly<Record<string, V>>, names: readonly string[]): Record<string, V> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name)));
}

function problemAt(
  declared: DeclaredApp,
  path: readonly string[],
  atKey: boolean,
  found: string,
  wanted: string,
  close: string | null,
): FoundProblem {
  return { kind: "invalid", file: declared.file, ...declared.place(path, atKey), path: path.join("."), found, wanted, nearest: close };
}

function statsdOf(manifest: AppManifest, before: App | null): Pick<App, "statsd"> {
  const stated = Object.entries(declaredProcesses(manifest)).flatMap(([name, { statsd }]) =>
    statsd === true ? [name as ProcessName] : [],
  );
  return stated.length === 0 && before?.statsd === undefined ? {} : { statsd: stated.sort() };
}

function placeOfMetrics({ path, port, every }: NonNullable<ProcessInput["metrics"]>): MetricsPlace {
  return { path, port: port ?? null, ...(every === undefined ? {} : { everyMs: every }) };
}
