import type { Role } from "#model/access.ts";
import type { SpaceName } from "#model/names.ts";

/** A token that was given out, by its digest. It never changes but for the spaces that are deleted. */
export interface StoredToken {
  readonly name: string;
  readonly id: string;
  readonly sha256: string;
  readonly role: Role;
  /** Null: all. Never empty. */
  readonly spaces: readonly SpaceName[] | null;
  readonly createdAtMs: number;
  /** The name of whose token it was made with. */
  readonly createdBy: string;
  readonly expiresAtMs: number;
}

/** When a token was used last, up to an hour behind. */
export interface TokenUse {
  readonly id: string;
  readonly usedAtMs: number;
}

export function isOver({ expiresAtMs }: StoredToken, nowMs: number): boolean {
  return nowMs >= expiresAtMs;
}

/** Has the name in it, so that the token is found by it. */
export function tokenId({ name, id }: StoredToken): string {
  return `${name}/${id}`;
}
