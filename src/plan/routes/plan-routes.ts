import { type App, type AppRoute, type Release, type Rollout, wakes } from "#model/app.ts";
import type { MachineId, ProcessName, RouteId } from "#model/names.ts";
import type { Endpoint, Listener, Route, RoutePolicy, Target } from "#model/routing-table.ts";
import { servingProcess } from "#model/serving-process.ts";
import { isReady } from "../rollout/counts.ts";
import type { ObservedInstance, ObservedWorkload } from "../rollout/input.ts";
import { planShares } from "./traffic-shares.ts";

/** Whoever asks an app that has to be started first gets its answer within this time, or 503: what takes longer should not go to none. */
export const wakeHoldMs = 60_000;

export interface RoutesInput {
  readonly app: App;
  readonly releases: ReadonlyMap<number, Release>;
  readonly rollout: Rollout | null;
  /** As last known: while an agent cannot be asked, what it reported last goes on taking traffic. */
  readonly observed: readonly ObservedWorkload[];
  /** Service ports of the app that others need; the others are open only if the app says so. */
  readonly neededPorts: ReadonlySet<number>;
  /** By which other machines reach the instances of one; null: plainly. */
  readonly entryOf: (machine: MachineId) => Endpoint["entry"] | null;
}

/**
 * The app's part of the routing table: its public routes and the service addresses that are open, in a fixed order, with ready instances only.
 * A route stays without any, so that whoever calls it learns which app is not ready. A destroyed app has none.
 */
export function planRoutes(input: RoutesInput): readonly Route[] {
  const { app } = input;
  if (app.destroying) return [];
  const targets = new Map<ProcessName, readonly Target[]>();
  const route = (process: ProcessName, listener: Listener, policy?: RoutePolicy): Route => {
    const known = targets.get(process) ?? planTargets(input, process);
    targets.set(process, known);
    const id = routeId(app, process, listener);
    return {
      id,
      space: app.space,
      app: app.name,
      process,
      listener,
      ...(policy === undefined ? {} : { policy }),
      // What has no instances while nobody asks for it is started by the first who does.
      ...(wakes(app, process) ? { wakes: { holdMs: wakeHoldMs } } : {}),
      targets: known,
    };
  };
  const open = app.routes.map((one) => route(one.to, publicListener(one), policyOf(one, app)));
  const ported = (Object.entries(app.servicePorts) as [ProcessName, number][]).sort(([a], [b]) => (a < b ? -1 : 1));
  const isOpen = ([process, port]: readonly [ProcessName, number]) =>
    input.neededPorts.has(port) || app.openAddresses?.includes(process) === true;
  const services = ported
    .filter(isOpen)
    .map(([process, port]) => route(process, { kind: "service", port, protocol: protocolOf(input, process) }));
  const main = servingProcess(ported.map(([process]) => process));
  const names = ported.map(([process, port]) =>
    route(process, {
      kind: "name",
      name: `${process}.${app.name}.${app.space}`,
      isMain: process === main,
      protocol: protocolOf(input, process),
      servicePort: isOpen([process, port]) ? port : null,
    }),
  );
  return [...open, ...services, ...names];
}

/** Where the edge listens for a route of an app. */
export function publicListener(route: AppRoute): Listener {
  if ("port" in route) return { kind: "port", port: route.port, protocol: route.protocol };
  const { host, path, when, passthrough } = route;
  if (passthrough === true) return { kind: "passthrough", host };
  return { kind: "public", host, path, ...(when === undefined ? {} : { when }) };
}

/** Maintenance stands in for the app, but not for a redirect, which needs no app. */
function policyOf(route: AppRoute, { maintenance }: App): RoutePolicy | undefined {
  if (maintenance === undefined || "port" in route || route.passthrough === true || route.policy?.answer !== undefined) return route.policy;
  return { ...route.policy, answer: { kind: "maintenance", ...maintenance } };
}

function routeId({ space, name }: Pick<App, "space" | "name">, process: ProcessName, listener: Listener): RouteId {
  return `${space}/${name}/${process} ${listenerKey(listener)}` as RouteId;
}

/** Of the route that a service address is, whether it is open or not; null if the app has no such address. */
export function serviceRouteId(app: App, port: number): RouteId | null {
  const [process] = (Object.entries(app.servicePorts) as [ProcessName, number][]).find(([, own]) => own === port) ?? [];
  return process === undefined || app.destroying ? null : routeId(app, process, { kind: "service", port, protocol: "http" });
}

/** Two routes with the same key want the same traffic. */
export function listenerKey(listener: Listener): string {
  switch (listener.kind) {
    case "public":
      return `${listener.host}${listener.path}${listener.when === undefined ? "" : ` ${JSON.stringify(listener.when)}`}`;
    case "passthrough":
      return `tls ${listener.host}`;
    case "port":
      return listener.protocol === "udp" ? `udp ${listener.port}` : `port ${listener.port}`;
    case "service":
      return `port ${listener.port}`;
    case "name":
      return `name ${listener.name}`;
    default:
      return listener satisfies never;
  }
}

function planTargets({ app, rollout, observed, entryOf }: RoutesInput, process: ProcessName): readonly Target[] {
  const endpoints = new Map<number, Endpoint[]>();
  for (const workload of observed) {
    if (workload.process !== process || workload.kind !== "service") continue;
    const entry = entryOf(workload.machine);
    for (const instance of workload.instances) {
      const endpoint = endpointOf(instance, entry);
      if (endpoint === null) continue;
      const list = endpoints.get(workload.release);
      if (list === undefined) endpoints.set(workload.release, [endpoint]);
      else list.push(endpoint);
    }
  }
  const ready = new Map([...endpoints].map(([release, list]) => [release, list.length]));
  const shares = planShares({ app, rollout, wanted: app.instances[process] ?? 1, ready });
  return [...shares].map(([release, weight]) => ({
    release,
    // A weight is relative to others: alone it is always 1, so that a route does not change for the number's sake.
    weight: shares.size === 1 ? 1 : weight,
    endpoints: (endpoints.get(release) ?? []).sort((a, b) => (a.instance < b.instance ? -1 : 1)),
  }));
}

function endpointOf(instance: ObservedInstance, entry: Endpoint["entry"] | null): Endpoint | null {
  if (!isReady(instance) || instance.port === null) return null;
  return { instance: instance.id, host: instance.host, port: instance.port, ...(entry == null ? {} : { entry }) };
}

function protocolOf({ app, releases }: RoutesInput, process: ProcessName): "http" | "tcp" {
  for (const number of [app.active, app.target]) {
    const spec = number === null ? undefined : releases.get(number)?.spec.processes[process];
    if (spec !== undefined) return spec.protocol;
  }
  return "http";
}
