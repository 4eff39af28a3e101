import type { LiveRoute } from "./live-route.ts";

interface Entry {
  readonly path: string;
  readonly route: LiveRoute;
}

/** Finds the public route of a request: host first, then the longest path that ends where a segment ends. */
export class RouteIndex {
  readonly #hosts = new Map<string, Entry[]>();

  find(host: string, path: string): LiveRoute | null {
    const entries = this.#hosts.get(host);
    if (entries === undefined) return null;
    for (const entry of entries) if (covers(entry.path, path)) return entry.route;
    return null;
  }

  add(host: string, path: string, route: LiveRoute): void {
    const key = normalHost(host);
    const entries = this.#hosts.get(key) ?? [];
    entries.push({ path: normalPath(path), route });
    // Two routes for one place should not exist; if they do, every edge has to agree on one of them.
    entries.sort((a, b) => b.path.length - a.path.length || (a.route.route.id < b.route.route.id ? -1 : 1));
    this.#hosts.set(key, entries);
  }

  delete(host: string, path: string, route: LiveRoute): void {
    const key = normalHost(host);
    const entries = (this.#hosts.get(key) ?? []).filter((entry) => entry.route !== route || entry.path !== normalPath(path));
    if (entries.length > 0) this.#hosts.set(key, entries);
    else this.#hosts.delete(key);
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

function covers(prefix: string, path: string): boolean {
  return prefix === "" || (path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 47));
}
