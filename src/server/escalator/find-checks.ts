import { DroverError } from "#model/errors.ts";
import type { IndexedCheck, LadderIndex } from "#plan/ladder/index-ladder.ts";

/** The checks that are meant by `smoke` (at every target) or `node-ping@m1`. @throws {DroverError} CHECK_NOT_FOUND */
export function findChecks(index: LadderIndex, name: string): readonly IndexedCheck[] {
  const all = [...index.checks.values()];
  const at = name.indexOf("@");
  const found =
    at === -1
      ? all.filter(({ check }) => check.name === name)
      : all.filter(
          ({ id, check, target }) => id === name || (check.name === name.slice(0, at) && target.endsWith(`/${name.slice(at + 1)}`)),
        );
  if (found.length > 0) return found;
  throw new DroverError("CHECK_NOT_FOUND", `there is no check "${name}"`, { hint: "List them with `drover check ls`." });
}
