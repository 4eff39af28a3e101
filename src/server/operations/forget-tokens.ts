import type { SpaceName } from "#model/names.ts";
import type { StoredToken } from "../access/stored-token.ts";
import { keys, objects, put, remove, type Stored, unchanged } from "../objects/objects.ts";
import type { Change, Condition, Store } from "../store/store.ts";

/** What becomes of tokens with a space that is deleted: another that gets its name later is none of theirs. A token of no other space goes too. */
export function forgetSpaceOfTokens(
  store: Store,
  space: SpaceName,
): { readonly conditions: readonly Condition[]; readonly changes: readonly Change[] } {
  const concerned = objects.tokens(store).filter(({ value }) => value.spaces?.includes(space));
  return {
    conditions: concerned.map((stored) => unchanged(stored.key, stored)),
    changes: concerned.flatMap((stored) => {
      const spaces = stored.value.spaces?.filter((one) => one !== space) ?? [];
      return spaces.length === 0 ? tokenRemoval(stored) : [put(stored.key, { ...stored.value, spaces } satisfies StoredToken)];
    }),
  };
}

export function tokenRemoval({ key, value: { name } }: Stored<StoredToken>): readonly Change[] {
  return [remove(key), remove(keys.tokenUse(name))];
}
