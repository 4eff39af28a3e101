import { type App, isBeingDestroyed } from "#model/app.ts";
import type { AppManifest } from "#model/manifest.ts";
import type { AppName, ProcessName } from "#model/names.ts";
import type { DraftProcess } from "./release-spec.ts";

type AppRoute = App["routes"][number];

/** The app's routes with their hosts filled in; without any in the manifest, `<app>.<domain>` leads to `web` if there is one with a port. */
export function appRoutes(
  name: AppName,
  domain: string,
  manifest: Pick<AppManifest, "routes">,
  processes: Readonly<Record<ProcessName, Pick<DraftProcess, "port">>>,
): readonly AppRoute[] {
  const host = `${name}.${domain}`;
  if (manifest.routes !== undefined) return manifest.routes.map((route) => ({ ...route, host: route.host ?? host }));
  const web = "web" as ProcessName;
  return Object.hasOwn(processes, web) && processes[web]?.port !== "none" ? [{ host, path: "/", to: web } as AppRoute] : [];
}

/** Which app has which host and path. */
export type RouteOwners = Map<string, Pick<App, "space" | "name">>;

export function routeKey({ host, path }: Pick<AppRoute, "host" | "path">): string {
  return `${host} ${path}`;
}

export function routeOwners(apps: Iterable<App>): RouteOwners {
  const owners: RouteOwners = new Map();
  for (const app of apps) if (!isBeingDestroyed(app)) for (const route of app.routes) owners.set(routeKey(route), app);
  return owners;
}
