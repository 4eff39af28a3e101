import type { AppStatus, AppSummary, InstanceView, PlannedChange } from "#model/api.ts";

/** Answers of the API as it would give them for an app that is well; tests say what differs. */

export const nowMs = 1_790_000_000_000;

export function instanceView(changes: Partial<InstanceView> = {}): InstanceView {
  return {
    id: "shop/api/web.3.k3f9b",
    space: "shop",
    app: "api",
    process: "web",
    release: 3,
    machine: "m1",
    state: "running",
    ready: true,
    host: "127.0.0.1",
    port: 20_001,
    pid: 4_711,
    restarts: 0,
    startedAtMs: nowMs,
    sinceMs: nowMs,
    exit: null,
    reason: null,
    ...changes,
  };
}

export function appStatus(changes: Partial<AppStatus> = {}): AppStatus {
  return {
    name: "api",
    space: "shop",
    health: "ready",
    target: 3,
    active: 3,
    stopped: false,
    urls: ["http://api.shop.localhost:8080"],
    processes: [{ name: "web", run: "node server.js", wanted: 1, running: 1, ready: 1, bounds: null, protocol: "http", servicePort: null }],
    instances: [instanceView()],
    rollout: null,
    lastFailure: null,
    reasons: [],
    known: true,
    createdAtMs: nowMs,
    revision: 7,
    ...changes,
  };
}

export function appSummary(changes: Partial<AppSummary> = {}): AppSummary {
  const { instances: _instances, processes: _processes, ...rest } = appStatus();
  return { ...rest, wanted: 1, running: 1, ready: 1, ...changes };
}

export function plannedChange(changes: Partial<PlannedChange> = {}): PlannedChange {
  return {
    kind: "app",
    space: "shop",
    name: "api",
    action: "create",
    changes: [],
    source: null,
    build: null,
    file: "-",
    warnings: [],
    ...changes,
  };
}
