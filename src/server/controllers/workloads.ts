import { createHash } from "node:crypto";
import type { App, ProcessSpec, Release, Space } from "#model/app.ts";
import { beforeProcess, type ProcessName, workloadId } from "#model/names.ts";
import type { Instance, Workload } from "#model/workload.ts";
import type { Secrets } from "../secrets/secrets.ts";

/** Processes and threads that a `before` command may have; what an app's processes get if nothing is said. */
const taskPids = 512;

/** Behind a restart token: where an instance may listen is taken up by a restart alone, so that turning it on or off restarts what runs. */
const privateMark = "/private";

/** The token of the app that an instance was started under. */
export function restartedUnder({ restartToken }: Pick<Instance, "restartToken">): string {
  return restartToken.endsWith(privateMark) ? restartToken.slice(0, -privateMark.length) : restartToken;
}

export interface WorkloadInput {
  readonly app: App;
  readonly space: Space | null;
  readonly release: Release;
  readonly process: ProcessName;
  /** Whether nobody but its own machine may reach it. */
  readonly isPrivate?: boolean;
}

/** Everything of an order but what changes with each: its count and its revision. */
export type WorkloadBody = Omit<Workload, "count" | "revision">;

/** What an agent has to know to run one process of a release. @throws {DroverError} SECRET_NOT_FOUND, SECRET_KEY_UNUSABLE */
export function workloadBody(input: WorkloadInput, secrets: Pick<Secrets, "reveal">): WorkloadBody | null {
  const { app, release, process, isPrivate = false } = input;
  const id = workloadId({ space: app.space, app: app.name, process, release: release.number });
  const shared = {
    id,
    artifact: release.spec.artifact,
    env: environmentOf(input),
    secrets: Object.fromEntries(
      Object.entries(release.spec.secrets).map(([name, version]) => [name, secrets.reveal(app.space, name, version)]),
    ),
    stop: release.spec.stop,
    volumes: release.spec.volumes,
  };
  if (process === beforeProcess) {
    const { before } = release.spec;
    if (before === null) return null;
    return {
      ...shared,
      kind: "task",
      command: { shell: before.run },
      port: "none",
      ready: null,
      alive: null,
      resources: { cpu: null, memoryBytes: null, pids: taskPids },
      routed: false,
      restartToken: "",
      timeoutMs: before.timeoutMs,
    };
  }
  const spec = release.spec.processes[process];
  if (spec === undefined) return null;
  return {
    ...shared,
    kind: "service",
    command: { shell: spec.run },
    port: spec.port,
    ready: spec.ready,
    alive: spec.alive,
    resources: spec.resources,
    routed: isRouted(app, process, spec),
    restartToken: `${app.restartTokens?.[process] ?? app.restartToken}${isPrivate ? privateMark : ""}`,
    timeoutMs: null,
    ...(spec.onlyOne === true ? { onlyOne: true } : {}),
    ...(spec.statsd === true ? { statsd: true } : {}),
    ...(isPrivate ? { isPrivate: true } : {}),
  };
}

/** The release's environment, which the space's is part of, so that it stays what it was when the space's changes; then the addresses of its needs. */
function environmentOf({ release }: WorkloadInput): Record<string, string> {
  const needs = Object.entries(release.spec.needs).map(([name, { port, protocol }]) => [
    `${name.toUpperCase().replaceAll("-", "_")}_URL`,
    `${protocol}://127.0.0.1:${port}`,
  ]);
  return { ...release.spec.env, ...Object.fromEntries(needs) };
}

/** Whether an edge may send traffic to it. */
function isRouted(app: App, process: ProcessName, spec: ProcessSpec): boolean {
  return spec.port !== "none" && (app.routes.some((route) => route.to === process) || app.servicePorts[process] !== undefined);
}

/** Tells two orders apart without keeping the secrets in them. */
export function digestOf(body: WorkloadBody): string {
  return createHash("sha256").update(JSON.stringify(body)).digest("base64");
}
