import type { ManifestProblem } from "#model/api.ts";
import { editDistance } from "#model/edit-distance.ts";
import { DroverError } from "#model/errors.ts";

/** Most problems reported at once: more than anybody mends in one go, and a bound for hostile input. */
const maxProblems = 100;

export type FoundProblem = ManifestProblem;

/** @throws {DroverError} with every problem in its details, if there is any. */
export function throwProblems(problems: readonly FoundProblem[]): void {
  const [first] = problems;
  if (first === undefined) return;
  const code = problems.every(({ kind }) => kind === "not-yet")
    ? "NOT_YET_SUPPORTED"
    : problems.every(({ kind }) => kind === "variable")
      ? "VARIABLE_MISSING"
      : "MANIFEST_INVALID";
  const count = problems.length === 1 ? "" : `, and ${problems.length - 1} more`;
  throw new DroverError(code, `${describe(first)}${count}`, {
    hint: hintFor(code, first),
    details: { problems: problems.slice(0, maxProblems), total: problems.length },
  });
}

/** `shop.yaml:4:3: processes.web.instnaces: found "instnaces", wanted a known key` */
function describe({ kind, file, line, column, path, found, wanted }: ManifestProblem): string {
  const what = kind === "not-yet" ? `${found} is not supported yet: ${wanted}` : `found ${found}, wanted ${wanted}`;
  return `${file}:${line}:${column}: ${path === "" ? "" : `${path}: `}${what}`;
}

function hintFor(code: string, first: FoundProblem): string {
  if (first.nearest !== null) return `Did you mean "${first.nearest}"?`;
  if (code === "NOT_YET_SUPPORTED") return "Leave it out for now; docs/reference/manifest.md lists what this version can do.";
  if (code === "VARIABLE_MISSING") return "Give the variable in the environment file, or write $${ for a literal ${.";
  return "Mend the manifest; docs/reference/manifest.md lists every key.";
}

/** A value as a problem shows it: JSON, at most 80 characters. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value, (_key, inner) => (typeof inner === "bigint" ? String(inner) : inner)) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

/** The candidate that differs least from `word`, if it differs by a third of its letters or less. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  if (word.length > 60) return null;
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}
