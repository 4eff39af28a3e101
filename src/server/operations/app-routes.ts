import { createSecureContext } from "node:tls";
import { type App, type AppRoute, isBeingDestroyed } from "#model/app.ts";
import { DroverError } from "#model/errors.ts";
import type { AppManifest } from "#model/manifest.ts";
import type { AppName, ProcessName } from "#model/names.ts";
import type { RouteManifest } from "#model/route-schemas.ts";
import type { RequestConditions, RouteLimits, RoutePolicy, RouteTls, RouteUpstream } from "#model/routing-table.ts";
import { listenerKey, publicListener } from "#plan/routes/plan-routes.ts";
import type { DraftProcess } from "./release-spec.ts";

/** The app's routes with their hosts filled in; without any in the manifest, `<app>.<domain>` leads to `web` if there is one with a port. */
export function appRoutes(
  name: AppName,
  domain: string,
  manifest: Pick<AppManifest, "routes">,
  processes: Readonly<Record<ProcessName, Pick<DraftProcess, "port">>>,
): readonly AppRoute[] {
  const host = `${name}.${domain}`;
  if (manifest.routes !== undefined) return manifest.routes.map((route) => appRoute(route, host));
  const web = "web" as ProcessName;
  return Object.hasOwn(processes, web) && processes[web]?.port !== "none" ? [{ host, path: "/", to: web }] : [];
}

function appRoute(route: RouteManifest, defaultHost: string): AppRoute {
  const policy = routePolicy(route, defaultHost);
  const shared = { to: route.to, ...(policy === null ? {} : { policy }) };
  if (route.port !== undefined) return { port: route.port, protocol: route.protocol ?? "tcp", ...shared };
  const when = conditions(route);
  const passthrough = route.tls?.mode === "passthrough" ? ({ passthrough: true } as const) : {};
  return { host: route.host ?? defaultHost, path: route.path ?? "/", ...(when === null ? {} : { when }), ...passthrough, ...shared };
}

/** Sorted, so that the same conditions in another order are the same route. */
function conditions({ headers, methods }: RouteManifest): RequestConditions | null {
  if (headers === undefined && methods === undefined) return null;
  const byName = Object.entries(headers ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...(byName.length === 0 ? {} : { headers: Object.fromEntries(byName.map(([name, value]) => [name, value === true ? null : value])) }),
    ...(methods === undefined ? {} : { methods: [...methods].sort() }),
  };
}

/** What the route asks for beyond finding an instance; null if nothing. */
function routePolicy(route: RouteManifest, defaultHost: string): RoutePolicy | null {
  const limits = routeLimits(route.limits);
  const tls = routeTls(route);
  const policy: RoutePolicy = {
    ...(tls === null ? {} : { tls }),
    ...(route.upstream === undefined ? {} : { upstream: upstreamOf(route.upstream, route.host ?? defaultHost) }),
    ...(route.sticky === undefined ? {} : { sticky: { forMs: route.sticky } }),
    ...(limits === null ? {} : { limits }),
    ...(route.redirect === undefined ? {} : { answer: { kind: "redirect", ...route.redirect } }),
    ...(route.compress === undefined ? {} : { compress: route.compress }),
    ...(route.log === undefined ? {} : { logShare: route.log }),
    ...(route.trace === undefined ? {} : { trace: route.trace }),
    ...(route.proxy_protocol === undefined ? {} : { proxyProtocol: given(route.proxy_protocol) }),
  };
  return Object.keys(policy).length === 0 ? null : policy;
}

/** @throws {DroverError} CERTIFICATE_INVALID if the clients' authority is none. */
function routeTls({ tls }: RouteManifest): RouteTls | null {
  if (tls === undefined || tls.mode === "passthrough") return null;
  const mode = tls.mode === "auto" ? {} : { mode: tls.mode };
  const hsts = "hsts" in tls && tls.hsts !== undefined ? { hstsMs: tls.hsts } : {};
  const clients = "clients" in tls ? tls.clients : undefined;
  const client = clients === undefined ? {} : { client: { caPem: clients.ca, ...given({ crlPem: clients.revoked }) } };
  if (clients !== undefined) checkAuthority("the authority of a route's clients", clients.ca, clients.revoked);
  const all = { ...mode, ...hsts, ...client };
  return Object.keys(all).length === 0 ? null : all;
}

/** What is verified is verified for a name: the route's own host, unless another is given. */
function upstreamOf(upstream: NonNullable<RouteManifest["upstream"]>, host: string): RouteUpstream {
  if (upstream.protocol !== "https") return { protocol: upstream.protocol };
  const { protocol, verify, ca, name = verify ? host : undefined } = upstream;
  if (ca !== undefined) checkAuthority("the authority of a route's instances", ca);
  return { protocol, verify, ...given({ caPem: ca, serverName: name }) };
}

/** An edge could only refuse everybody. */
function checkAuthority(what: string, ca: string, crl?: string): void {
  try {
    createSecureContext({ ca, ...(crl === undefined ? {} : { crl }) });
  } catch (error) {
    throw new DroverError("CERTIFICATE_INVALID", `${what} cannot be read`, {
      cause: error,
      hint: "Give the certificates, and the list of revoked ones, as PEM.",
    });
  }
}

function routeLimits(limits: RouteManifest["limits"]): RouteLimits | null {
  if (limits === undefined) return null;
  const { body, body_rate, head, request, idle, answer, rate, rate_per_client } = limits;
  const all = given({
    bodyBytes: body,
    bodyRate: body_rate,
    headBytes: head,
    requestMs: request,
    idleMs: idle,
    answerMs: answer,
    rate: rate,
    ratePerClient: rate_per_client,
  });
  return Object.keys(all).length === 0 ? null : all;
}

type Given<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the keys that are undefined. */
function given<T extends object>(value: T): Given<T> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Given<T>;
}

/** Which app has which place: host, path and conditions, or port. */
export type RouteOwners = Map<string, Pick<App, "space" | "name">>;

export function routeKey(route: AppRoute): string {
  return listenerKey(publicListener(route));
}

export function routeOwners(apps: Iterable<App>): RouteOwners {
  const owners: RouteOwners = new Map();
  for (const app of apps) if (!isBeingDestroyed(app)) for (const route of app.routes) owners.set(routeKey(route), app);
  return owners;
}
