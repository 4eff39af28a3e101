import { type App, type AppRoute, isBeingDestroyed } from "#model/app.ts";
import type { AppManifest, RouteManifest } from "#model/manifest.ts";
import type { AppName, ProcessName } from "#model/names.ts";
import type { RequestConditions, RouteLimits, RoutePolicy } from "#model/routing-table.ts";
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
  const policy = routePolicy(route);
  const shared = { to: route.to, ...(policy === null ? {} : { policy }) };
  if (route.port !== undefined) return { port: route.port, protocol: route.protocol ?? "tcp", ...shared };
  const when = conditions(route);
  return { host: route.host ?? defaultHost, path: route.path ?? "/", ...(when === null ? {} : { when }), ...shared };
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
function routePolicy(route: RouteManifest): RoutePolicy | null {
  const limits = routeLimits(route.limits);
  const policy: RoutePolicy = {
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

function routeLimits(limits: RouteManifest["limits"]): RouteLimits | null {
  if (limits === undefined) return null;
  const { body, head, request, idle, answer, rate, rate_per_client } = limits;
  const all = given({
    bodyBytes: body,
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
