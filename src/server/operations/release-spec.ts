import type { ProcessSpec, ReleaseSpec } from "#model/app.ts";
import type { AppManifest, ProcessManifest } from "#model/manifest.ts";
import type { Digest, ProcessName } from "#model/names.ts";
import type { Probe, Resources } from "#model/workload.ts";

/** What a build found: recorded in the store when it ends, so that a release can be made from the digest alone. */
export interface ArtifactRecord {
  readonly digest: Digest;
  readonly processes: Readonly<Record<string, string>>;
  readonly kind: string;
  readonly sizeBytes: number;
  readonly createdAtMs: number;
}

/** A process as far as its manifest says; `run` is null when the source has to say it and was not built yet, or does not. */
export type DraftProcess = Omit<ProcessSpec, "run"> & { readonly run: string | null };

export type ProcessInput = Partial<Omit<ProcessManifest, "protocol">> & { readonly protocol?: ProcessManifest["protocol"] };

/** The manifest's processes, its short forms taken as `web`. */
export function declaredProcesses(manifest: AppManifest): Readonly<Record<ProcessName, ProcessInput>> {
  const { run, instances, port, resources, ready, alive, scale, info, metrics, statsd, only_one: onlyOne } = manifest;
  const short: ProcessInput = {
    ...(run === undefined ? {} : { run }),
    ...(instances === undefined ? {} : { instances }),
    ...(port === undefined ? {} : { port }),
    ...(resources === undefined ? {} : { resources }),
    ...(ready === undefined ? {} : { ready }),
    ...(alive === undefined ? {} : { alive }),
    ...(scale === undefined ? {} : { scale }),
    ...(info === undefined ? {} : { info }),
    ...(metrics === undefined ? {} : { metrics }),
    ...(statsd === undefined ? {} : { statsd }),
    ...(onlyOne === undefined ? {} : { only_one: onlyOne }),
  };
  const declared: Record<ProcessName, ProcessInput> = { ...manifest.processes };
  if (Object.keys(short).length > 0) declared["web" as ProcessName] = short;
  return declared;
}

/** What the manifest says about each process, over what the build found in the source. */
export function draftProcesses(
  manifest: AppManifest,
  found: Readonly<Record<string, string>>,
): Readonly<Record<ProcessName, DraftProcess>> {
  const declared = declaredProcesses(manifest);
  const routed = new Set<string>(manifest.routes?.map(({ to }) => to) ?? []);
  const names = [...new Set([...Object.keys(declared), ...Object.keys(found)])].sort() as ProcessName[];
  const drafts: Record<ProcessName, DraftProcess> = {};
  for (const name of names) {
    const process = Object.hasOwn(declared, name) ? (declared[name] as ProcessInput) : {};
    const tellsAtPort = process.metrics !== undefined && process.metrics.port === undefined;
    const probesPort = [process.ready, process.alive].some((probe) => probe?.http !== undefined || probe?.tcp !== undefined);
    drafts[name] = {
      run: process.run ?? (Object.hasOwn(found, name) ? (found[name] as string) : null),
      port: process.port ?? (name === "web" || routed.has(name) || probesPort || tellsAtPort ? "auto" : "none"),
      protocol: process.protocol ?? "http",
      resources: resourcesOf(process),
      ...(process.only_one === true ? { onlyOne: true } : {}),
      ...(process.statsd === true ? { statsd: true } : {}),
      ready: process.ready === undefined ? null : probeOf(process.ready),
      alive: process.alive === undefined ? null : probeOf(process.alive),
    };
  }
  return drafts;
}

function resourcesOf({ resources }: ProcessInput): Resources {
  return { cpu: resources?.cpu ?? null, memoryBytes: resources?.memory ?? null, pids: resources?.pids ?? 512 };
}

function probeOf(probe: NonNullable<ProcessInput["ready"] | ProcessInput["alive"]>): Probe {
  const target: Probe["target"] =
    probe.http !== undefined
      ? { kind: "http", path: probe.http }
      : probe.run !== undefined
        ? { kind: "command", run: probe.run }
        : { kind: "tcp" };
  return { target, everyMs: probe.every, timeoutMs: probe.timeout, failures: probe.failures };
}

/** The app's environment: the space's, over it the manifest's, over it what was set by hand (null: taken away). */
export function composeEnv(
  space: Readonly<Record<string, string>>,
  manifest: Readonly<Record<string, string>>,
  manual: Readonly<Record<string, string | null>>,
): Readonly<Record<string, string>> {
  const composed: Record<string, string | null> = { ...space, ...manifest, ...manual };
  return Object.fromEntries(
    Object.entries(composed)
      .filter((pair): pair is [string, string] => pair[1] !== null)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** Everything a release fixes, in a form whose JSON is the same for equal releases. */
export function releaseSpec(input: {
  readonly manifest: AppManifest;
  readonly processes: Readonly<Record<ProcessName, ProcessSpec>>;
  readonly artifact: Digest | null;
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: ReleaseSpec["secrets"];
  readonly needs: ReleaseSpec["needs"];
}): ReleaseSpec {
  const { manifest } = input;
  const { signal, drain, grace } = manifest.stop;
  return {
    artifact: input.artifact,
    processes: input.processes,
    env: input.env,
    secrets: input.secrets,
    needs: input.needs,
    volumes: Object.keys(manifest.volumes).sort(),
    before: manifest.before === undefined ? null : { run: manifest.before.run, timeoutMs: manifest.before.timeout },
    stop: { signal, drainMs: drain, graceMs: grace },
  };
}

/** Whether two values are equal as JSON, whatever the order of their keys. */
export function isEqualJson(a: unknown, b: unknown): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
