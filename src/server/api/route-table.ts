import { DroverError } from "#model/errors.ts";
import type { Method, Route } from "./route.ts";

export interface FoundRoute {
  readonly route: Route;
  /** What the named parts of the path are, decoded; `*` is the rest of it. */
  readonly params: Readonly<Record<string, string>>;
}

/** A route and what the parts of its path that may be anything are called, in order. */
interface Leaf {
  readonly route: Route;
  readonly names: readonly string[];
}

interface Node {
  readonly fixed: Map<string, Node>;
  /** What follows a part that may be anything but empty. */
  any: Node | null;
  /** Routes that end here, and those whose `*` takes the rest. */
  readonly ending: Map<string, Leaf>;
  readonly taking: Map<string, Leaf>;
}

const methods: readonly Method[] = ["GET", "PUT", "POST", "PATCH", "DELETE"];

/** Finds the route of a request by its method and the parts of its path. */
export class RouteTable {
  readonly #root = emptyNode();

  constructor(routes: readonly Route[]) {
    for (const route of routes) this.#add(route);
  }

  /** @throws {DroverError} ROUTE_UNKNOWN, METHOD_NOT_ALLOWED, or REQUEST_INVALID for a path with escapes that are none. */
  find(method: string, path: string): FoundRoute {
    const parts = partsOf(path);
    const values: string[] = [];
    const leaf = search(this.#root, parts, 0, method === "HEAD" ? "GET" : method, values);
    if (leaf === null) throw this.unknown(method, path);
    return { route: leaf.route, params: paramsOf(leaf, values) };
  }

  /** Why there is no route: a known path that has other methods is told from an unknown one. */
  unknown(method: string, path: string): DroverError {
    const others = methods.filter((other) => search(this.#root, partsOf(path), 0, other, []) !== null);
    const text = JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path);
    if (others.length === 0) {
      return new DroverError("ROUTE_UNKNOWN", `the API has no path ${text}`, {
        hint: "The API's reference is docs/openapi.json; all paths start with /v1/.",
      });
    }
    return new DroverError("METHOD_NOT_ALLOWED", `${text} has no method ${method}`, { hint: `It has ${others.join(", ")}.` });
  }

  #add(route: Route): void {
    let node = this.#root;
    const parts = partsOf(route.path);
    const leaf = { route, names: parts.filter((part) => part === "*" || part.startsWith(":")).map((part) => part.replace(":", "")) };
    for (const part of parts) {
      if (part === "*") return void node.taking.set(route.method, leaf);
      if (part.startsWith(":")) node = node.any ??= emptyNode();
      else {
        const next = node.fixed.get(part) ?? emptyNode();
        node.fixed.set(part, next);
        node = next;
      }
    }
    node.ending.set(route.method, leaf);
  }
}

function emptyNode(): Node {
  return { fixed: new Map(), any: null, ending: new Map(), taking: new Map() };
}

function partsOf(path: string): readonly string[] {
  return path.slice(1).split("/");
}

/** What a path says literally goes before what may be anything. Fills `values` with what the parts that may are. */
function search(node: Node, parts: readonly string[], at: number, method: string, values: string[]): Leaf | null {
  const part = parts[at];
  if (part === undefined) return node.ending.get(method) ?? null;
  const next = node.fixed.get(part);
  const literal = next === undefined ? null : search(next, parts, at + 1, method, values);
  if (literal !== null) return literal;
  if (node.any !== null && part !== "") {
    values.push(part);
    const found = search(node.any, parts, at + 1, method, values);
    if (found !== null) return found;
    values.pop();
  }
  const rest = node.taking.get(method) ?? null;
  if (rest !== null) values.push(parts.slice(at).join("/"));
  return rest;
}

function paramsOf({ names }: Leaf, values: readonly string[]): Readonly<Record<string, string>> {
  const params: Record<string, string> = {};
  for (const [at, name] of names.entries()) params[name] = decode(values[at] ?? "");
  return params;
}

function decode(value: string): string {
  if (!value.includes("%")) return value;
  try {
    return decodeURIComponent(value);
  } catch (error) {
    throw new DroverError("REQUEST_INVALID", "the path has escapes that are no UTF-8", {
      cause: error,
      hint: "Check the path against the API's reference.",
    });
  }
}
