import { timingSafeEqual } from "node:crypto";
import { errorFields } from "#host/log.ts";
import { ownerName } from "#model/access.ts";
import type { Clock } from "#model/clock.ts";
import { hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { keys, objects, put, type Stored } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";
import type { Principal } from "./access-rule.ts";
import type { OwnerToken } from "./owner-token.ts";
import { isOver, type StoredToken, type TokenUse, tokenId } from "./stored-token.ts";
import { tokenDigest, tokenNameIn } from "./token-text.ts";

/** How old "last used" may be in the store: a request must not cost a write, and nobody asks for the minute. */
const saveUseAfterMs = 3_600_000;
/** Longest header looked at: the scheme, a space and a token fit well. */
const longestHeader = 256;
const scheme = "Bearer ";
/** Compared with what names no token, so that this takes as long as a wrong secret does. */
const nobody = Buffer.alloc(32);

/** Who holds which token. Nothing of it is cached: a token is worth nothing from the revision on at which it was revoked. */
export interface Tokens {
  /** The principal of an `Authorization` header, or null. Takes the same time for every wrong token. */
  authenticate(authorization: string | undefined): Principal | null;
  /** Who comes with the token of this id; null once it was revoked or has expired. */
  holder(id: string): Principal | null;
  readonly owner: Principal;
}

export interface TokensOptions {
  readonly store: Store;
  readonly owner: OwnerToken;
  readonly clock: Pick<Clock, "nowMs">;
  readonly log: Log;
}

export function createTokens({ store, owner: { id, sha256 }, clock, log }: TokensOptions): Tokens {
  const ownerDigest = Buffer.from(sha256, "hex");
  const owner: Principal = { id, name: ownerName, role: "owner", spaces: null, expiresAtMs: null, token: id, session: null };
  /** The use that was last saved, or tried to be, by the token's name. */
  const saved = new Map<string, TokenUse>();

  const noteUse = ({ value: { id, name }, key, modRevision }: Stored<StoredToken>, usedAtMs: number) => {
    const last = saved.get(name) ?? objects.tokenUse(store, name)?.value;
    if (last?.id === id && usedAtMs - last.usedAtMs < saveUseAfterMs) return;
    const use: TokenUse = { id, usedAtMs };
    saved.set(name, use);
    store.commit({ conditions: [{ key, modRevision }], changes: [put(keys.tokenUse(name), use)] }).catch((error: unknown) => {
      // Revoked in this moment: there is nothing to note any more.
      if (!hasCode(error, "CONFLICT")) log.warn("the use of a token could not be saved", { token: name, ...errorFields(error) });
    });
  };

  return {
    owner,
    authenticate: (authorization) => {
      if (authorization === undefined || authorization.length > longestHeader || !authorization.startsWith(scheme)) return null;
      const text = authorization.slice(scheme.length);
      const digest = tokenDigest(text);
      if (timingSafeEqual(digest, ownerDigest)) return owner;
      const name = tokenNameIn(text);
      const stored = name === null ? null : objects.token(store, name);
      const isRight = timingSafeEqual(digest, stored === null ? nobody : Buffer.from(stored.value.sha256, "hex"));
      const nowMs = clock.nowMs();
      if (stored === null || !isRight || isOver(stored.value, nowMs)) return null;
      noteUse(stored, nowMs);
      return principalOf(stored.value);
    },
    holder: (wanted) => {
      if (wanted === owner.id) return owner;
      const name = wanted.slice(0, wanted.lastIndexOf("/"));
      const token = name === "" ? undefined : objects.token(store, name)?.value;
      return token === undefined || tokenId(token) !== wanted || isOver(token, clock.nowMs()) ? null : principalOf(token);
    },
  };
}

function principalOf(token: StoredToken): Principal {
  const { name, role, spaces, expiresAtMs } = token;
  const id = tokenId(token);
  return { id, name, role, spaces, expiresAtMs, token: id, session: null };
}
