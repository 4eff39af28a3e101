import { type App, isBeingDestroyed, type Space } from "#model/app.ts";
import { DroverError } from "#model/errors.ts";
import { appId, type Digest, type ProcessName } from "#model/names.ts";
import { type FoundProblem, nearest } from "../manifests/problems.ts";
import type { DeclaredApp } from "../manifests/read-manifests.ts";
import type { Stored } from "../objects/objects.ts";
import { appRoutes, type RouteOwners } from "./app-routes.ts";
import { artifactRecord } from "./artifacts.ts";
import type { OperationContext } from "./context.ts";
import { type DraftProcess, declaredProcesses, draftProcesses } from "./release-spec.ts";
import { targetSpec } from "./releases.ts";
import { servicePorts } from "./service-ports.ts";

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

/** A declared app, resolved by itself: not yet checked against the others, nor with their addresses. */
export interface Draft {
  readonly declared: DeclaredApp;
  readonly stored: Stored<App> | null;
  readonly artifact: Digest | null;
  readonly processes: Readonly<Record<ProcessName, DraftProcess>>;
  readonly isBuilt: boolean;
  readonly routes: App["routes"];
  readonly ports: App["servicePorts"];
  readonly warnings: string[];
}

/** @throws {DroverError} ARTIFACT_NOT_FOUND. What is wrong in the manifest is added to `problems`. */
export function draftApp(declared: DeclaredApp, stored: Stored<App> | null, surroundings: Surroundings, problems: FoundProblem[]): Draft {
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
    const problem = (wanted: string) => [problemAt(declared, path, "0", wanted)];
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

/** The app as one to go on with; null if there is none, or only what is being destroyed. */
export function livingApp(stored: Stored<App> | null): App | null {
  return stored === null || isBeingDestroyed(stored.value) ? null : stored.value;
}

/** A place in an app's manifest where something else is wanted. @param close what may have been meant */
export function problemAt(
  declared: DeclaredApp,
  path: readonly string[],
  found: string,
  wanted: string,
  close: string | null = null,
): FoundProblem {
  return { kind: "invalid", file: declared.file, ...declared.place(path), path: path.join("."), found, wanted, nearest: close };
}
