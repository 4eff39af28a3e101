import { editDistance } from "#model/edit-distance.ts";
import { DroverError } from "#model/errors.ts";

export interface AppReference {
  readonly space: string;
  readonly app: string;
}

export const defaultSpace = "default";

/** `app` in the space that was asked for, or `space/app` in full. @throws {DroverError} USAGE */
export function appReference(text: string | undefined, space: string | null): AppReference {
  if (text === undefined || text === "") throw new DroverError("USAGE", "no app was named", { hint: 'Name it, as "app" or "space/app".' });
  const parts = text.split("/");
  if (parts.length === 1) return { space: space ?? defaultSpace, app: text };
  const [named, app] = parts;
  if (parts.length !== 2 || !named || !app) {
    throw new DroverError("USAGE", `"${text}" names no app`, { hint: 'Name it as "app" or "space/app".' });
  }
  if (space !== null && space !== named) {
    throw new DroverError("USAGE", `"${text}" is in space "${named}", but --space says "${space}"`, { hint: "Give one of the two." });
  }
  return { space: named, app };
}

/** `NAME=value` pairs. The value may be empty and may contain "=". @throws {DroverError} USAGE */
export function assignments(args: readonly string[], what: string): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const arg of args) {
    const equals = arg.indexOf("=");
    if (equals < 1) throw new DroverError("USAGE", `"${arg}" is no ${what}`, { hint: `Write each ${what} as NAME=value.` });
    pairs[arg.slice(0, equals)] = arg.slice(equals + 1);
  }
  return pairs;
}

/** `zone=a`. @throws {DroverError} USAGE */
export function readLabel(text: string): readonly [string, string] {
  const [, key, value] = /^([^=]+)=(.*)$/.exec(text) ?? [];
  if (key !== undefined && value !== undefined) return [key, value];
  throw new DroverError("USAGE", `"${text}" is no label`, { hint: 'Write KEY=VALUE, such as "zone=a".' });
}

/** As `variableName` in `#model/name-schemas.ts`, which loads the schema library. @throws {DroverError} NAME_INVALID */
export function requireVariableName(name: string): void {
  if (/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) return;
  throw new DroverError("NAME_INVALID", `"${name}" is no name of a variable`, {
    hint: "A name has letters, digits and _, at most 128, and does not start with a digit.",
  });
}

/** A whole number from `least`. @throws {DroverError} USAGE */
export function wholeNumber(text: string, what: string, least: number, most: number): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= least && number <= most)) {
    throw new DroverError("USAGE", `${what} is "${text}"`, { hint: `Give a whole number from ${least} to ${most}.` });
  }
  return number;
}

/** One of the words that an option takes; undefined where it was not given. @throws {DroverError} USAGE */
export function oneOf<Word extends string>(text: string | undefined, what: string, words: readonly Word[]): Word | undefined {
  const found = words.find((word) => word === text);
  if (text === undefined || found !== undefined) return found;
  throw new DroverError("USAGE", `${what} is "${text}"`, { hint: `Give one of ${words.join(", ")}.` });
}

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s` → 90000. As in manifests, but without the schema library, whose loading takes longer than most commands do. @throws {DroverError} USAGE */
export function durationMs(text: string, what: string): number {
  const match = /^(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text);
  const factor = durationUnits[match?.[2] ?? ""];
  if (match === null || factor === undefined) {
    throw new DroverError("USAGE", `${what} is "${text}"`, { hint: "Give a duration with its unit: 500ms, 30s, 5m, 2h or 1d." });
  }
  return Math.round(Number(match[1]) * factor);
}

/** The name that is most like `name`, if a slip of the finger explains it. @param mostEdits of long names, which are remembered by their sense, more */
export function nearest(name: string, known: readonly string[], mostEdits = 3): string | null {
  let best: string | null = null;
  let bestDistance = Math.min(mostEdits, Math.ceil(name.length / 2)) + 0.5;
  for (const candidate of known) {
    const distance = candidate.startsWith(name) && name.length >= 2 ? 0.5 : editDistance(name, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}
