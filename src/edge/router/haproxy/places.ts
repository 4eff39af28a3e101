import type { RequestConditions, Route } from "#model/routing-table.ts";
import { quoted, routeHost, routePath } from "./quoting.ts";

/** What a place of the maps stands for when routes there have conditions: asked from the first to the last. */
export interface Place {
  /** Names it in the maps and the rules. */
  readonly name: string;
  readonly choices: readonly { readonly conditions: readonly string[]; readonly backend: string }[];
  /** Where requests go that meet none; null: nowhere. */
  readonly otherwise: string | null;
}

export interface Places {
  /** `host/path/` → backend or place, for exact hosts. */
  readonly exact: ReadonlyMap<string, string>;
  /** The same for `*.host` and for `*`. */
  readonly wildcard: ReadonlyMap<string, string>;
  readonly any: ReadonlyMap<string, string>;
  readonly conditional: readonly Place[];
}

export interface PlacedRoute {
  readonly route: Route;
  readonly backend: string;
}

interface Spot {
  readonly host: string;
  readonly path: string;
  readonly routes: PlacedRoute[];
}

/**
 * The maps and rules that find the public route of a request: exact host before wildcard, longest path, most conditions. Routes whose host,
 * path or conditions have no safe form are left out; `misplaced` names them.
 */
export function placeRoutes(routes: readonly PlacedRoute[]): Places {
  const spots = new Map<string, Spot>();
  for (const placed of routes) {
    const at = placeOf(placed.route);
    if (at === null) continue;
    const key = at.host + at.path;
    const spot = spots.get(key) ?? { ...at, routes: [] };
    spot.routes.push(placed);
    spots.set(key, spot);
  }
  const maps = { exact: new Map<string, string>(), wildcard: new Map<string, string>(), any: new Map<string, string>() };
  const conditional: Place[] = [];
  for (const key of [...spots.keys()].sort()) {
    const spot = spots.get(key) as Spot;
    const ranked = ranking(spot, spots);
    const [first] = ranked;
    if (first === undefined) continue;
    const map = spot.host === "*" ? maps.any : spot.host.startsWith("*.") ? maps.wildcard : maps.exact;
    if (first.route.listener.kind === "public" && first.route.listener.when === undefined) map.set(key, first.backend);
    else {
      const place = placeFor(`p${conditional.length + 1}`, ranked);
      conditional.push(place);
      map.set(key, place.name);
    }
  }
  return { ...maps, conditional };
}

function placeOf(route: Route): { readonly host: string; readonly path: string } | null {
  if (route.listener.kind !== "public") return null;
  const host = routeHost(route.listener.host);
  const path = routePath(route.listener.path);
  if (host === null || path === null || conditionsOf(route.listener.when) === null) return null;
  return { host, path };
}

/** Why a public route cannot be found by requests; null if it can. */
export function misplaced({ listener }: Route): string | null {
  if (listener.kind !== "public") return null;
  if (routeHost(listener.host) === null) return `"${listener.host}" is no host name that HAProxy can be told of`;
  if (routePath(listener.path) === null) return `"${listener.path}" is no path that HAProxy can be told of`;
  return conditionsOf(listener.when) === null ? "its conditions hold what HAProxy cannot be told of" : null;
}

/** The routes of a place, most conditions first; behind them, as long as all have conditions, those of the places around it. */
function ranking(spot: Spot, spots: ReadonlyMap<string, Spot>): readonly PlacedRoute[] {
  const ranked: PlacedRoute[] = [];
  for (const host of hostsAround(spot.host))
    for (const path of pathsAround(spot.path)) {
      const here = spots.get(host + path);
      if (here === undefined) continue;
      ranked.push(...[...here.routes].sort(byConditions));
      if (ranked.some(({ route }) => count(route) === 0)) return ranked;
    }
  return ranked;
}

function byConditions(a: PlacedRoute, b: PlacedRoute): number {
  return count(b.route) - count(a.route) || (a.route.id < b.route.id ? -1 : 1);
}

function count({ listener }: Route): number {
  if (listener.kind !== "public" || listener.when === undefined) return 0;
  return Object.keys(listener.when.headers ?? {}).length + (listener.when.methods === undefined ? 0 : 1);
}

function hostsAround(host: string): readonly string[] {
  if (host === "*") return [host];
  if (host.startsWith("*.")) return [host, "*"];
  const dot = host.indexOf(".");
  return dot === -1 || host.startsWith("[") ? [host, "*"] : [host, `*${host.slice(dot)}`, "*"];
}

function pathsAround(path: string): readonly string[] {
  const paths = [path];
  for (let at = path.lastIndexOf("/", path.length - 2); at >= 0; at = at === 0 ? -1 : path.lastIndexOf("/", at - 1))
    paths.push(path.slice(0, at + 1));
  return paths;
}

function placeFor(name: string, ranked: readonly PlacedRoute[]): Place {
  const choices: { conditions: readonly string[]; backend: string }[] = [];
  for (const { route, backend } of ranked) {
    const when = route.listener.kind === "public" ? route.listener.when : undefined;
    const conditions = conditionsOf(when) ?? [];
    if (conditions.length === 0) return { name, choices, otherwise: backend };
    choices.push({ conditions, backend });
  }
  return { name, choices, otherwise: null };
}

const headerName = /^[a-z0-9-]{1,64}$/;
const methodName = /^[A-Z]+(?:-[A-Z]+)*$/;

/** Each condition as an anonymous test of a rule; null if one has no safe form. */
function conditionsOf(when: RequestConditions | undefined): readonly string[] | null {
  const tests: string[] = [];
  for (const [name, value] of Object.entries(when?.headers ?? {})) {
    const word = value === null ? "" : quoted(value);
    if (!headerName.test(name) || word === null) return null;
    tests.push(value === null ? `{ req.fhdr(${name}) -m found }` : `{ req.fhdr(${name}) -m str -- ${word} }`);
  }
  if (when?.methods !== undefined) {
    if (when.methods.length === 0 || !when.methods.every((method) => methodName.test(method))) return null;
    tests.push(`{ method ${when.methods.join(" ")} }`);
  }
  return tests;
}
