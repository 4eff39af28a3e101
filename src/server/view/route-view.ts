import type { RouteTargetView, RouteTlsView, RouteTrafficView, RouteView } from "#model/api-routes.ts";
import { latencyQuantile } from "#model/latency.ts";
import type { AppId, RouteId } from "#model/names.ts";
import { type Listener, latencyBoundsMs, type RequestConditions, type Route, type TargetTraffic } from "#model/routing-table.ts";
import type { Reason } from "#model/workload.ts";
import { type CertificateOf, type RouteAddresses, tlsModeOf } from "./route-address.ts";

export interface RouteViewInput {
  readonly route: Route;
  /** Who has its place, if it has not. */
  readonly holder: AppId | null;
  /** What the edges counted for it; null while none answers. */
  readonly traffic: readonly TargetTraffic[] | null;
  /** Of an edge that cannot carry it. */
  readonly problem: Reason | null;
  readonly inForce: boolean;
  readonly addresses: RouteAddresses;
  readonly certificateOf: CertificateOf;
}

/** A route as people see it; null for one that carries no traffic, such as a name of DNS. */
export function viewRoute(input: RouteViewInput): RouteView | null {
  const { route, traffic, addresses, certificateOf, holder } = input;
  const { id, space, app, process, listener, policy = {} } = route;
  if (listener.kind === "name") return null;
  const { limits = {}, upstream = { protocol: "http1" }, answer, sticky } = policy;
  const { when = {} } = listener.kind === "public" ? listener : {};
  return {
    id,
    space,
    app,
    process,
    kind: listener.kind === "public" ? "http" : listener.kind,
    place: placeOf(listener),
    host: "host" in listener ? listener.host : null,
    path: "path" in listener ? listener.path : null,
    port: "port" in listener ? listener.port : null,
    protocol: listener.kind === "public" ? "http" : listener.kind === "passthrough" ? "tcp" : listener.protocol,
    when: { headers: { ...when.headers }, methods: [...(when.methods ?? [])] },
    url: addresses.urlOf(listener, policy),
    tls: viewTls(route, certificateOf),
    upstream: { protocol: upstream.protocol, verified: upstream.protocol === "https" && upstream.verify },
    limits: {
      headBytes: limits.headBytes ?? null,
      bodyBytes: limits.bodyBytes ?? null,
      bodyRate: limits.bodyRate ?? null,
      requestMs: limits.requestMs ?? null,
      answerMs: limits.answerMs ?? null,
      idleMs: limits.idleMs ?? null,
      rate: limits.rate ?? null,
      ratePerClient: limits.ratePerClient ?? null,
    },
    stickyMs: sticky?.forMs ?? null,
    answer: answer === undefined ? null : answer.kind === "redirect" ? answer.to : "maintenance",
    targets: viewTargets(route, traffic),
    traffic: traffic === null ? null : sumUp(traffic),
    inForce: input.inForce,
    problem: holder === null ? input.problem : { code: "ROUTE_CONFLICT", message: `${holder} has its place` },
  };
}

/** What a route is called by people. */
export function placeOf(listener: Listener): string {
  switch (listener.kind) {
    case "public":
      return `${listener.host}${listener.path}${listener.when === undefined ? "" : ` ${conditionsOf(listener.when)}`}`;
    case "passthrough":
      return `tls ${listener.host}`;
    case "port":
      return `${listener.protocol} ${listener.port}`;
    case "service":
      return `127.0.0.1:${listener.port}`;
    case "name":
      return listener.name;
    default:
      return listener satisfies never;
  }
}

/** The routes that somebody may mean: by id or place, else by host and path alone, the slash at the end left out or not. */
export function meantRoutes<R extends Pick<RouteView, "id" | "place" | "host" | "path">>(routes: readonly R[], name: string): readonly R[] {
  const exact = routes.filter(({ id, place }) => id === name || place === name || place === `${name}/`);
  if (exact.length > 0) return exact;
  const plain = (text: string) => text.replace(/\/$/, "");
  return routes.filter(({ host, path }) => host !== null && plain(`${host}${path ?? ""}`) === plain(name));
}

function conditionsOf({ headers = {}, methods = [] }: RequestConditions): string {
  const asked = Object.entries(headers).map(([name, value]) => (value === null ? name : `${name}=${value}`));
  return [...(methods.length === 0 ? [] : [methods.join(",")]), ...asked].join(" ");
}

function viewTls({ listener, policy }: Route, certificateOf: CertificateOf): RouteTlsView | null {
  const certificate = listener.kind === "public" ? certificateOf(listener.host) : null;
  const mode = tlsModeOf(listener, policy, certificate);
  if (mode === null) return null;
  const { hstsMs, client } = policy?.tls ?? {};
  return { mode, certificate: mode === "off" ? null : (certificate?.id ?? null), hstsMs: hstsMs ?? null, clients: client !== undefined };
}

function viewTargets({ targets }: Route, traffic: readonly TargetTraffic[] | null): RouteTargetView[] {
  const total = targets.reduce((sum, { weight }) => sum + weight, 0);
  return targets.map(({ release, weight, endpoints }) => ({
    release,
    share: total === 0 ? 0 : weight / total,
    endpoints: endpoints.map(({ instance, host, port }) => ({ instance, host, port })),
    traffic: traffic === null ? null : sumUp(traffic.filter((one) => one.release === release)),
  }));
}

function sumUp(all: readonly TargetTraffic[]): RouteTrafficView {
  const sum = (count: (one: TargetTraffic) => number) => all.reduce((total, one) => total + count(one), 0);
  const latency = [...latencyBoundsMs, 0].map((_, i) => sum((one) => one.latency[i] ?? 0));
  const quantile = (share: number) => {
    const bound = latencyQuantile(latency, share);
    return bound === null ? null : Math.min(bound, latencyBoundsMs.at(-1) ?? 0);
  };
  return {
    requests: sum(({ requests }) => requests),
    errors: sum(({ errors }) => errors),
    bytesIn: sum(({ bytesIn }) => bytesIn),
    bytesOut: sum(({ bytesOut }) => bytesOut),
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    classes: [0, 1, 2, 3, 4].map((i) => sum((one) => one.classes[i] ?? 0)),
  };
}

/** What all edges counted, by route. */
export function trafficByRoute(answers: readonly (readonly TargetTraffic[])[]): ReadonlyMap<RouteId, readonly TargetTraffic[]> {
  const byRoute = new Map<RouteId, TargetTraffic[]>();
  for (const one of answers.flat()) {
    const known = byRoute.get(one.route);
    if (known === undefined) byRoute.set(one.route, [one]);
    else known.push(one);
  }
  return byRoute;
}
