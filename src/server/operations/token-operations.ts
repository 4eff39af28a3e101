import type { z } from "zod";
import { ownerName, tokenLifeMs } from "#model/access.ts";
import type { newToken, TokenView } from "#model/api-access.ts";
import { DroverError } from "#model/errors.ts";
import type { Principal } from "../access/access-rule.ts";
import { isOver, type StoredToken } from "../access/stored-token.ts";
import { newTokenText, tokenDigest } from "../access/token-text.ts";
import { keys, objects, put, type Stored, unchanged } from "../objects/objects.ts";
import type { Condition, Store } from "../store/store.ts";
import type { OperationContext } from "./context.ts";
import { tokenRemoval } from "./forget-tokens.ts";
import { requireSpace } from "./space-operations.ts";
import { transact } from "./transact.ts";

/** Tokens at once: one for each person and each program of a large installation. */
const mostTokens = 1_000;
/** How long a token that has expired is still listed, so that whoever wonders why something stopped finds out. */
const keptAfterMs = 30 * 86_400_000;

/** What is told of a token; never itself. */
export function viewToken(store: Store, { value }: Stored<StoredToken>): TokenView {
  const { name, id, role, spaces, createdAtMs, createdBy, expiresAtMs } = value;
  const use = objects.tokenUse(store, name)?.value;
  const usedAtMs = use?.id === id ? use.usedAtMs : null;
  return { name, role, spaces: spaces === null ? null : [...spaces], createdAtMs, createdBy, expiresAtMs, usedAtMs };
}

/**
 * Makes a token. One that has expired makes way for another of its name.
 * @returns with the token itself, which nobody can be told again
 * @throws {DroverError} CONFLICT for a name that is taken, SPACE_NOT_FOUND, OVERLOADED
 */
export async function createToken(
  context: OperationContext,
  { name, role, spaces: named, expiresInMs }: z.output<typeof newToken>,
  by: Principal,
): Promise<{ readonly token: string; readonly expiresAtMs: number }> {
  const { store, clock, events } = context;
  const { id, text } = newTokenText(name);
  const nowMs = clock.nowMs();
  const spaces = named === undefined ? null : [...new Set(named)].sort();
  const expiresAtMs = nowMs + (expiresInMs ?? tokenLifeMs.default);
  const token: StoredToken = {
    name,
    id,
    sha256: tokenDigest(text).toString("hex"),
    role,
    spaces,
    createdAtMs: nowMs,
    createdBy: by.name,
    expiresAtMs,
  };
  await transact(store, null, () => {
    const before = objects.token(store, name);
    if (name === ownerName || (before !== null && !isOver(before.value, nowMs)))
      throw new DroverError("CONFLICT", `there is a token "${name}" already`, {
        hint: `Choose another name, or revoke that one first with "drover token revoke ${name}".`,
      });
    if (before === null && objects.tokens(store).length >= mostTokens)
      throw new DroverError("OVERLOADED", `there are ${mostTokens} tokens already`, {
        hint: 'Revoke those that nobody uses; "drover token ls" shows when each was used last.',
      });
    // A space that is deleted meanwhile takes its tokens with it, so it has to be there still.
    const conditions: Condition[] = (spaces ?? []).map((space) => unchanged(keys.space(space), requireSpace(context, space)));
    return { answer: {}, conditions: [...conditions, unchanged(keys.token(name), before)], changes: [put(keys.token(name), token)] };
  });
  const of = spaces === null ? "" : ` of ${spaces.join(", ")}`;
  events.append({ kind: "token.created", subject: name, message: `${by.name} made the token "${name}": ${role}${of}` });
  return { token: text, expiresAtMs };
}

/** @throws {DroverError} TOKEN_NOT_FOUND */
export function requireToken(store: Store, name: string): Stored<StoredToken> {
  const stored = objects.token(store, name);
  if (stored !== null) return stored;
  throw noSuchToken(name);
}

export function noSuchToken(name: string): DroverError {
  return new DroverError("TOKEN_NOT_FOUND", `there is no token "${name}"`, {
    hint:
      name === ownerName
        ? "The owner's own token is replaced at a start of the server: the guide on access says how."
        : 'List them with "drover token ls".',
  });
}

/** From the answer on it is worth nothing; what was opened with it ends within seconds. @throws {DroverError} TOKEN_NOT_FOUND */
export async function revokeToken({ store, events }: OperationContext, name: string, by: Principal): Promise<void> {
  await transact(store, null, () => {
    const stored = requireToken(store, name);
    return { answer: {}, conditions: [unchanged(stored.key, stored)], changes: tokenRemoval(stored) };
  });
  events.append({ kind: "token.revoked", subject: name, message: `${by.name} revoked the token "${name}"` });
}

/** Forgets tokens that expired a month ago. */
export async function sweepTokens(store: Store, nowMs: number): Promise<void> {
  const old = objects.tokens(store).filter(({ value }) => nowMs > value.expiresAtMs + keptAfterMs);
  // One that was made anew in this moment stays; the next sweep looks again.
  if (old.length > 0) await store.commit({ conditions: old.map((one) => unchanged(one.key, one)), changes: old.flatMap(tokenRemoval) });
}
