import type { CheckManifest } from "#model/check-schemas.ts";
import { type LadderManifest, scopeOfLevel } from "#model/ladder-schemas.ts";
import { formatDuration } from "#model/quantities.ts";
import { type Scope, scopes } from "#model/target.ts";
import { type AppDeclares, appLevelOf } from "./compile.ts";

/** What makes a ladder that fits the schema one that cannot work. `app` null: it stands in the ladder's document. */
export interface LadderProblem {
  readonly app: string | null;
  readonly path: readonly (string | number)[];
  readonly found: string;
  readonly wanted: string;
}

const rank = (scope: Scope) => scopes.indexOf(scope);

/** Everything that is wrong between the levels and the checks of a space. */
export function findLadderProblems(ladder: LadderManifest | null, apps: readonly AppDeclares[]): readonly LadderProblem[] {
  return [
    ...(ladder === null ? [] : [...levelProblems(ladder, apps), ...checkProblems(ladder)]),
    ...apps.flatMap((app) => appProblems(ladder, app)),
  ];
}

function levelProblems({ levels, checks }: LadderManifest, apps: readonly AppDeclares[]): readonly LadderProblem[] {
  const problems: LadderProblem[] = [];
  const report = (i: number, key: readonly (string | number)[], found: string, wanted: string) =>
    problems.push({ app: null, path: ["levels", i, ...key], found, wanted });
  const asked = new Set([...Object.values(checks), ...apps.flatMap((app) => Object.values(app.checks))].map(({ level }) => level));
  if (apps.some(({ checks: own, escalate }) => escalate !== null || Object.values(own).some(({ level }) => level === undefined)))
    asked.add(appLevelOf(levels) ?? undefined);
  const firstAsked = levels.findIndex(({ name }) => asked.has(name));
  for (const [i, level] of levels.entries()) {
    const earlier = levels.findIndex(({ name }) => name === level.name);
    if (earlier < i) report(i, ["name"], `level "${level.name}" again`, "a name of its own for each level");
    const heavier = levels[i - 1];
    if (heavier !== undefined && rank(scopeOfLevel(level)) < rank(scopeOfLevel(heavier)))
      report(
        i,
        ["name"],
        `level "${level.name}" of a ${scopeOfLevel(level)} below "${heavier.name}" of a ${scopeOfLevel(heavier)}`,
        "lighter levels that act on the same or less than heavier ones",
      );
    // What a heavier level runs on its way down is asked for too, and so is what a lighter one goes wider to.
    const isReached = (firstAsked !== -1 && i >= firstAsked) || levels.slice(i + 1).some(({ then }) => then.includes("wider"));
    if (!isReached) report(i, ["name"], `level "${level.name}", which no check asks for`, "a check with this level, or no such level");
    if (level.check !== undefined && checks[level.check] === undefined) report(i, ["check"], `"${level.check}"`, "a check of this ladder");
  }
  return problems;
}

function checkProblems(ladder: LadderManifest): readonly LadderProblem[] {
  return Object.entries(ladder.checks).flatMap(([name, check]) => {
    const own = checkAgainst(ladder, check, check.app === undefined ? (check.each ?? "space") : "app");
    return own.map(({ key, found, wanted }): LadderProblem => ({ app: null, path: ["checks", name, key], found, wanted }));
  });
}

function appProblems(ladder: LadderManifest | null, { app, checks, escalate }: AppDeclares): readonly LadderProblem[] {
  return Object.entries(checks).flatMap(([name, check]): readonly LadderProblem[] => {
    const at = (key: string, found: string, wanted: string): LadderProblem => ({ app, path: ["checks", name, key], found, wanted });
    const problems: LadderProblem[] = [];
    for (const key of ["each", "app"] as const)
      if (check[key] !== undefined) problems.push(at(key, `${key} in a check of an app`, "nothing there: it is made for this app"));
    if (ladder?.checks[`${app}-${name}`] !== undefined)
      problems.push({
        app,
        path: ["checks", name],
        found: `check "${name}", which the ladder claims as "${app}-${name}"`,
        wanted: "one ladder for each check",
      });
    if (check.level !== undefined && escalate !== null)
      problems.push(at("level", `level "${check.level}" beside the app's own escalate`, "one of them: two ladders would claim this check"));
    else if (ladder === null && check.level !== undefined && check.level !== "app")
      problems.push(at("level", `"${check.level}"`, 'app: the space has no ladder, and "app" is the level of every app'));
    else if (ladder !== null) problems.push(...checkAgainst(ladder, check, "app").map(({ key, found, wanted }) => at(key, found, wanted)));
    return problems;
  });
}

function checkAgainst(
  { levels }: LadderManifest,
  check: CheckManifest,
  of: Scope,
): readonly { readonly key: string; readonly found: string; readonly wanted: string }[] {
  if (check.level === undefined) return [];
  const level = levels.find(({ name }) => name === check.level);
  if (level === undefined)
    return [{ key: "level", found: `"${check.level}"`, wanted: `a level of the ladder: ${levels.map(({ name }) => name).join(", ")}` }];
  const scope = scopeOfLevel(level);
  const problems: { key: string; found: string; wanted: string }[] = [];
  // A machine is in one pool and all are in one space; but an app runs on many machines, so none of them is meant.
  if (of === "app" && (scope === "machine" || scope === "pool"))
    problems.push({
      key: "level",
      found: `level "${level.name}", which acts on a ${scope}, for a check of an app`,
      wanted: "a level of apps or of the space: an app runs on many machines",
    });
  const openMs =
    check.expected === undefined
      ? null
      : (check.expected.until - check.expected.from + (check.expected.until > check.expected.from ? 0 : 1_440)) * 60_000;
  if (openMs !== null && level.quiet >= openMs)
    problems.push({
      key: "expected",
      found: `hours of ${formatDuration(openMs)}, no longer than the quiet period of level "${level.name}" (${formatDuration(level.quiet)})`,
      wanted: "hours that outlast the quiet period: it would never be seen whether the level helped",
    });
  return problems;
}
