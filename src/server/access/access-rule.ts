import type { SpaceName } from "#model/names.ts";
import type { Principal } from "./token.ts";

/**
 * What a route asks of its caller. The router checks it before the handler runs; a route without one does not start.
 *
 * - `open`: anybody who reaches the server, without a token.
 * - `read`, `write`: of one space when the route names one, else of the installation.
 * - `ticket`: the one-time ticket in the path, or in the body, is the permission; it was given to somebody who was allowed.
 */
export type AccessRule = "open" | "read" | "write" | "ticket";

/** The one place that says who may do what. Deny is the default. */
export function allow(principal: Principal | null, rule: AccessRule, _space: SpaceName | null): boolean {
  if (rule === "open" || rule === "ticket") return true;
  return principal?.kind === "administrator";
}
