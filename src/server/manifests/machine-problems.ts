import type { LadderManifest } from "#model/ladder-schemas.ts";
import { abilitiesOf, makesAnew } from "#model/pool.ts";
import type { PoolManifest } from "#model/pool-schemas.ts";
import { compileProvider } from "../pools/compile-pool.ts";
import type { FoundProblem } from "./problems.ts";
import type { Declared } from "./read-manifests.ts";

/**
 * Levels that act on machines, of a space whose pools cannot do that. It is found when the ladder or the pools are declared, because at night nobody is
 * there to read it.
 * @param ladder the space's ladder, declared now or before
 */
export function machineProblems(
  declared: Pick<Declared, "ladder" | "pools">,
  ladder: LadderManifest | null,
  pools: readonly PoolManifest[],
): readonly FoundProblem[] {
  return (ladder?.levels ?? []).flatMap((level, i) =>
    [level.do, ...level.then].flatMap((action): readonly FoundProblem[] => {
      const wanted = typeof action === "string" ? lackingFor(action, pools) : null;
      if (wanted === null) return [];
      const path = ["levels", i, action === level.do ? "do" : "then"];
      return [problemAt(declared, path, String(action), wanted)];
    }),
  );
}

/** What has to be there for an action, when it is not. */
function lackingFor(action: string, pools: readonly PoolManifest[]): string | null {
  if (!/^(machine|pool)\./.test(action)) return null;
  if (pools.length === 0) return "a pool in the space, whose provider makes its machines (`pool: web`); or a command for the level";
  const metal = action === "machine.replace" ? pools.find(({ provider }) => !makesAnew(compileProvider(provider))) : undefined;
  if (metal !== undefined) return `machine.power-cycle: the provider of pool "${metal.pool}" switches machines and makes none anew`;
  const verb = action === "machine.converge" ? "converge" : action === "machine.power-cycle" ? "power" : null;
  const lacking = verb === null ? undefined : pools.find(({ provider }) => !abilitiesOf(compileProvider(provider))[verb]);
  if (lacking === undefined) return null;
  return lacking.provider.command === undefined
    ? `a pool whose provider has ${verb}; that of pool "${lacking.pool}" has not`
    : `a command for ${verb} in the provider of pool "${lacking.pool}"`;
}

function problemAt(
  { ladder, pools }: Pick<Declared, "ladder" | "pools">,
  path: readonly (string | number)[],
  found: string,
  wanted: string,
): FoundProblem {
  const at = ladder === null ? pools[0] : ladder;
  // It stands in a ladder that was applied before, and what is applied now makes it wrong.
  const place = at === undefined ? { line: 1, column: 1 } : at.place(ladder === null ? [] : path);
  const what = ladder === null ? `the space's ladder has ${found}` : found;
  return {
    kind: "invalid",
    file: at?.file ?? "-",
    ...place,
    path: ladder === null ? "" : path.join("."),
    found: what,
    wanted,
    nearest: null,
  };
}
