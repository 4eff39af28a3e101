import type { Right } from "#model/access.ts";
import { spaceName } from "#model/name-schemas.ts";
import type { SpaceName } from "#model/names.ts";
import { allow, type Principal, type Resource, requireRight } from "../access/access-rule.ts";
import type { Call, Route } from "./route.ts";

/** A request whose caller may have what its path says; what else it names is still to be checked. */
export interface Admission extends Pick<Call, "sees" | "requireRight"> {
  /** To be called as soon as query and body are read. @throws {DroverError} NOT_ALLOWED */
  checkNamed(query: unknown, body: unknown): void;
}

/**
 * Lets the caller of a route in, by the rule in the table.
 * @throws {DroverError} UNAUTHENTICATED, NOT_ALLOWED
 */
export function admit({ access }: Route, principal: Principal | null, params: Readonly<Record<string, string>>): Admission {
  const require = (right: Right, resource: Resource) => requireRight(principal, right, resource);
  const call = { sees: (space: string | null) => sees(principal, space), requireRight: require };
  if (access === "open" || access === "ticket") return { ...call, checkNamed: () => undefined };
  const { right, of } = access;
  if (typeof of === "function") {
    // The role alone, before a body is read for nothing.
    require(right, "each");
    // Whoever may have every space may have this one, and finding out which it is can take a while.
    const isLimited = principal?.spaces != null;
    return { ...call, checkNamed: (query, body) => isLimited && require(right, { space: of(query, body) }) };
  }
  require(right, of === "space" ? spaceIn(params) : of);
  return { ...call, checkNamed: (query) => of === "each" && checkFilter(require, right, query) };
}

/** A route whose rule does not fit its path is a defect, and does not start. */
export function checkRule({ method, path, access }: Route): void {
  const what = `${method} ${path}`;
  if (access === undefined) throw new Error(`${what} has no access rule`);
  const isOfSpace = typeof access === "object" && access.of === "space";
  if (isOfSpace !== path.split("/").includes(":space")) throw new Error(`${what}: its access rule and its path do not name the same space`);
}

function sees(principal: Principal | null, space: string | null): boolean {
  return allow(principal, "read", space === null ? "installation" : { space: space as SpaceName });
}

/** What is no name of a space is nobody's; who may have all is told so later, in other words. */
function spaceIn(params: Readonly<Record<string, string>>): Resource {
  const named = spaceName.safeParse(params["space"]);
  return named.success ? { space: named.data } : "installation";
}

/** A list that is asked for one space alone: another one's is refused, in place of looking empty. */
function checkFilter(require: (right: Right, resource: Resource) => void, right: Right, query: unknown): void {
  const space = (query as { readonly space?: SpaceName } | null)?.space;
  if (space !== undefined) require(right, { space });
}
