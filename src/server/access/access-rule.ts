import { type Right, type Role, rights, roleHas } from "#model/access.ts";
import { DroverError } from "#model/errors.ts";
import type { SpaceName } from "#model/names.ts";

/** Who a request comes from: whoever holds a token, or a session of the web UI that was opened with one. */
export interface Principal {
  /** Of this token or session alone, and never used again. */
  readonly id: string;
  /** How records call it. */
  readonly name: string;
  readonly role: Role;
  /** Null: all of them, and what is of no space. */
  readonly spaces: readonly SpaceName[] | null;
  /** Null: never. */
  readonly expiresAtMs: number | null;
  /** The id of the token; its own, or that of whoever opened the session. */
  readonly token: string;
  /** Null for a token. */
  readonly session: string | null;
}

/**
 * What a request is about.
 *
 * - a space, by its name;
 * - `installation`: what all spaces share and none owns, so a token of some spaces is not enough;
 * - `each`: things of many spaces, of which the caller gets those that it may see;
 * - `common`: of no space, and for everybody with a token.
 */
export type Resource = { readonly space: SpaceName } | "installation" | "each" | "common";

/** What a route asks of its caller. `Q` and `B` are its query and body. */
export type AccessRule<Q = unknown, B = unknown> =
  /** Anybody who reaches the server, without a token. */
  | "open"
  /** The one-time ticket in the path or body is the permission; it was given to somebody who was allowed. */
  | "ticket"
  | {
      readonly right: Right;
      /** `space`: the one in the path; a function: the one that the request names elsewhere. */
      readonly of: "space" | Exclude<Resource, object> | ((query: Q, body: B) => SpaceName);
    };

/** The one place that says who may do what. Pure; deny is the default. */
export function allow(principal: Principal | null, right: Right, resource: Resource): boolean {
  if (principal === null || !roleHas(principal.role, right)) return false;
  if (principal.spaces === null || resource === "each" || resource === "common") return true;
  return typeof resource === "object" && principal.spaces.includes(resource.space);
}

/** @throws {DroverError} UNAUTHENTICATED, NOT_ALLOWED */
export function requireRight(principal: Principal | null, right: Right, resource: Resource): void {
  if (allow(principal, right, resource)) return;
  if (principal === null) throw unauthenticated("the request carries no valid token");
  const { role, spaces, name } = principal;
  const who = `"${name}" is ${aRole(role)}${spaces === null ? "" : ` of ${spaces.map((space) => `"${space}"`).join(", ")} alone`}`;
  const needed = rights[right].role;
  const isRoleEnough = roleHas(role, right);
  const lacks = `this takes ${isRoleEnough ? "one" : aRole(needed)}${spaces === null ? "" : reachOf(resource)}`;
  const space = typeof resource === "object" ? ` --space ${resource.space}` : "";
  throw new DroverError("NOT_ALLOWED", `${who}, and ${lacks}`, {
    hint: `Use another token: an owner makes it with "drover token create NAME --role ${isRoleEnough ? role : needed}${space}".`,
    details: { role: needed, ...(typeof resource === "object" ? { space: resource.space } : {}) },
  });
}

export function unauthenticated(message: string): DroverError {
  return new DroverError("UNAUTHENTICATED", message, {
    hint: "Commands take a token from DROVER_TOKEN, requests send `Authorization: Bearer TOKEN`. The owner's is in the file `token` of the server's home folder; others end, and `drover token ls` shows when.",
  });
}

/** What a token of some spaces would have to be for. */
function reachOf(resource: Resource): string {
  if (typeof resource === "object") return ` of space "${resource.space}"`;
  return resource === "installation" ? " for all spaces" : "";
}

function aRole(role: Role): string {
  return `${/^[aeiou]/.test(role) ? "an" : "a"} ${role}`;
}
