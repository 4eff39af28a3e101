import { type AskedRequest, matcher } from "./conditions.ts";
import type { LiveRoute } from "./live-route.ts";

interface Entry {
  readonly route: LiveRoute;
  /** How many conditions it has: the more there are, the earlier it is asked. */
  readonly conditions: number;
  /** Null if every request matches. */
  readonly matches: ((request: AskedRequest) => boolean) | null;
}

/** The routes of one host, by their path. */
interface Paths {
  readonly entries: Map<string, Entry[]>;
  /** Length of the longest path. */
  longest: number;
}

/**
 * Finds the public route of a request. Of the routes that match, the host decides first: exact before `*.name` before `*`; then the longest path,
 * which ends where a segment ends; then the number of conditions. Costs a look-up for each segment of the path, whatever the number of routes.
 */
export class RouteIndex {
  readonly #hosts = new Map<string, Paths>();
  /** Hosts that begin with `*`; most tables have none. */
  #wildcards = 0;

  find(host: string, path: string, request: AskedRequest): LiveRoute | null {
    const paths = this.#hosts.get(host);
    const found = paths === undefined ? null : findPath(paths, path, request);
    return found !== null || this.#wildcards === 0 ? found : this.#findWildcard(host, path, request);
  }

  add(live: LiveRoute): void {
    const { listener } = live.route;
    if (listener.kind !== "public") return;
    const key = normalHost(listener.host);
    const path = normalPath(listener.path);
    let paths = this.#hosts.get(key);
    if (paths === undefined) {
      paths = { entries: new Map(), longest: 0 };
      this.#hosts.set(key, paths);
      if (key.startsWith("*")) this.#wildcards++;
    }
    const entries = paths.entries.get(path) ?? [];
    const { headers = {}, methods } = listener.when ?? {};
    const conditions = Object.keys(headers).length + (methods === undefined ? 0 : 1);
    entries.push({ route: live, conditions, matches: listener.when === undefined ? null : matcher(listener.when) });
    // Two routes for one place should not exist; if they do, every edge has to agree on one of them.
    entries.sort((a, b) => b.conditions - a.conditions || (a.route.route.id < b.route.route.id ? -1 : 1));
    paths.entries.set(path, entries);
    paths.longest = Math.max(paths.longest, path.length);
  }

  delete(live: LiveRoute): void {
    const { listener } = live.route;
    if (listener.kind !== "public") return;
    const key = normalHost(listener.host);
    const path = normalPath(listener.path);
    const paths = this.#hosts.get(key);
    const before = paths?.entries.get(path);
    if (paths === undefined || before === undefined) return;
    const entries = before.filter(({ route }) => route !== live);
    if (entries.length > 0) {
      paths.entries.set(path, entries);
      return;
    }
    paths.entries.delete(path);
    if (paths.entries.size === 0) {
      this.#hosts.delete(key);
      if (key.startsWith("*")) this.#wildcards--;
    } else if (path.length === paths.longest) {
      paths.longest = 0;
      for (const other of paths.entries.keys()) paths.longest = Math.max(paths.longest, other.length);
    }
  }

  #findWildcard(host: string, path: string, request: AskedRequest): LiveRoute | null {
    const dot = host.indexOf(".");
    const ofDomain = dot === -1 || host.startsWith("[") ? undefined : this.#hosts.get(`*${host.slice(dot)}`);
    const found = ofDomain === undefined ? null : findPath(ofDomain, path, request);
    if (found !== null) return found;
    const ofAll = this.#hosts.get("*");
    return ofAll === undefined ? null : findPath(ofAll, path, request);
  }
}

function findPath({ entries, longest }: Paths, path: string, request: AskedRequest): LiveRoute | null {
  // Only as much of the path is looked at as the longest route has, so that a long one costs no more.
  let end = longest === 0 ? 0 : path.length <= longest ? path.length : path.lastIndexOf("/", longest);
  for (;;) {
    const found = entries.get(end <= 0 ? "" : path.slice(0, end));
    if (found !== undefined) for (const { matches, route } of found) if (matches === null || matches(request)) return route;
    if (end <= 0) return null;
    end = path.lastIndexOf("/", end - 1);
  }
}

function normalHost(host: string): string {
  const lower = host.toLowerCase();
  return lower.endsWith(".") ? lower.slice(0, -1) : lower;
}

/** Without the slash at its end, so that `/a/` and `/a` are the same prefix; empty for the root. */
function normalPath(path: string): string {
  return path.endsWith("/") ? path.slice(0, -1) : path;
}
