import type { WorkloadId } from "#model/names.ts";
import type { Workload } from "#model/workload.ts";

let revision = 1;

/** A service of one instance that needs no port; what a test is about is given on top. */
export function workload(shell: string, over: Partial<Workload> = {}): Workload {
  return {
    id: "team/app/web/1" as WorkloadId,
    revision: revision++,
    kind: "service",
    count: 1,
    command: { shell },
    artifact: null,
    env: {},
    secrets: {},
    port: "none",
    ready: null,
    alive: null,
    resources: { cpu: null, memoryBytes: null, pids: 256 },
    stop: { signal: "SIGTERM", drainMs: 1_000, graceMs: 2_000 },
    routed: false,
    volumes: [],
    restartToken: "",
    timeoutMs: null,
    ...over,
  };
}
