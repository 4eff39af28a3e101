import { DroverError } from "./errors.ts";
import { type EventLevel, logLevels, parseLevel } from "./log-level.ts";

/*
 * The language of searches. All terms that stand beside each other have to hold; `OR` between two groups of them lets either do.
 *
 *   timeout                 the text, in any case of its letters A to Z, anywhere in the event
 *   "connection refused"    the same with blanks in it; \" and \\ inside
 *   status:500              the field is this; user.id:42 for nested ones; status:* has it at all; path:/api/* begins so
 *   status>=500             the field is a number and compares so; >, >=, <, <=
 *   level>=warn             the level, which is recognised in plain text too
 *   -healthz                not
 *
 * Besides those of the event there are the fields space, app, process, release, instance, machine, source (app or drover) and of (whose lines:
 * app, build, run, before, escalation, or one of Drover's own programs).
 */

export type Comparison = "=" | ">" | ">=" | "<" | "<=";

export type LogTerm =
  /** In small letters, as everything it is compared with. */
  | { readonly kind: "text"; readonly text: string; readonly not: boolean }
  | { readonly kind: "is"; readonly field: string; readonly value: string; readonly not: boolean }
  | { readonly kind: "begins"; readonly field: string; readonly value: string; readonly not: boolean }
  | {
      readonly kind: "compares";
      readonly field: string;
      readonly by: Exclude<Comparison, "=">;
      readonly value: number;
      readonly not: boolean;
    }
  | { readonly kind: "level"; readonly levels: readonly EventLevel[]; readonly not: boolean };

/** Any of the groups, of which all terms hold. One empty group: everything. */
export type LogExpression = readonly (readonly LogTerm[])[];

/** Fields that every event has, whatever its text says. */
export const ownFields = ["space", "app", "process", "release", "instance", "machine", "source", "of"] as const;

export const longestQuery = 1_000;
const mostTerms = 50;

const fieldTerm = /^([A-Za-z_@][\w.@-]*)(:|>=|<=|>|<)(.+)$/;

/** @throws {DroverError} LOG_QUERY_INVALID */
export function parseLogQuery(query: string): LogExpression {
  if (query.length > longestQuery) throw invalid(`the search is longer than ${longestQuery} characters`);
  const groups: LogTerm[][] = [[]];
  let count = 0;
  for (const word of wordsOf(query)) {
    if (word.text === "OR" && !word.isQuoted) {
      if (groups.at(-1)?.length === 0) throw invalid('"OR" has nothing before it');
      groups.push([]);
      continue;
    }
    if (++count > mostTerms) throw invalid(`the search has more than ${mostTerms} terms`);
    groups.at(-1)?.push(termOf(word));
  }
  if (groups.length > 1 && groups.at(-1)?.length === 0) throw invalid('"OR" has nothing after it');
  return groups;
}

interface Word {
  readonly not: boolean;
  /** All of it stood in quotes. */
  readonly isQuoted: boolean;
  readonly text: string;
}

/** Splits at blanks outside of quotes; a quote may also begin after a field's colon. */
function* wordsOf(query: string): Generator<Word> {
  for (let at = 0; at < query.length; ) {
    if (/\s/.test(query[at] ?? "")) {
      at++;
      continue;
    }
    const not = query[at] === "-" && /\S/.test(query[at + 1] ?? "");
    if (not) at++;
    let text = "";
    const isQuoted = query[at] === '"';
    for (let inQuotes = false; ; at++) {
      const character = query[at];
      if (character === undefined && inQuotes) throw invalid("a quote is not closed");
      if (character === undefined || (!inQuotes && /\s/.test(character))) break;
      if (character === '"' && (inQuotes || text === "" || /[:<>=]$/.test(text))) inQuotes = !inQuotes;
      else if (inQuotes && character === "\\" && at + 1 < query.length) text += query[++at];
      else text += character;
    }
    yield { not, isQuoted, text };
  }
}

function termOf({ not, isQuoted, text }: Word): LogTerm {
  if (text === "") throw invalid("a term is empty");
  const [, field = "", operator = "", value = ""] = isQuoted ? [] : (fieldTerm.exec(text) ?? []);
  // `http://x` and `12:30:01` are texts; so is whatever else does not begin with a name.
  if (field === "" || (operator === ":" && value.startsWith("//"))) return { kind: "text", text: foldText(text), not };
  if (field === "level") return levelTerm(operator, value, not);
  if (operator === ":") {
    const folded = foldText(value);
    return folded.endsWith("*") ? { kind: "begins", field, value: folded.slice(0, -1), not } : { kind: "is", field, value: folded, not };
  }
  const number = Number(value);
  if (Number.isNaN(number)) throw invalid(`"${text}" compares with "${value}", which is no number`);
  return { kind: "compares", field, by: operator as Exclude<Comparison, "=">, value: number, not };
}

function levelTerm(operator: string, value: string, not: boolean): LogTerm {
  const level = parseLevel(value);
  if (level === null) throw invalid(`"${value}" is no level`, `Levels are ${logLevels.join(", ")}.`);
  const rank = logLevels.indexOf(level);
  const holds: Readonly<Record<string, (other: number) => boolean>> = {
    ":": (other) => other === rank,
    ">=": (other) => other >= rank,
    ">": (other) => other > rank,
    "<=": (other) => other <= rank,
    "<": (other) => other < rank,
  };
  return { kind: "level", levels: logLevels.filter((_, other) => holds[operator]?.(other) ?? false), not };
}

const capitals = /[A-Z]+/g;
const beyondAscii = /[^\0-\x7f]/;

/** In small letters, A to Z alone: so text compares as its bytes do, and no letter of another script is another one's case. */
export function foldText(text: string): string {
  return beyondAscii.test(text) ? text.replace(capitals, (letters) => letters.toLowerCase()) : text.toLowerCase();
}

function invalid(message: string, hint = 'Terms look like: timeout "connection refused" status:500 level>=warn -healthz.'): DroverError {
  return new DroverError("LOG_QUERY_INVALID", message, { hint });
}
