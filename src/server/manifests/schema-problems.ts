import type { z } from "zod";
import type { Place } from "./documents.ts";
import { type FoundProblem, nearest, show } from "./problems.ts";

type Issue = z.core.$ZodIssue;

interface Locator {
  readonly file: string;
  place(path: readonly PropertyKey[], atKey?: boolean): Place;
}

/** Keys that a person can be told in one line. */
const mostNamed = 12;

/**
 * What a schema has against `value`, each with its place: an unknown key at the key, everything else at the value.
 * @param elsewhere keys that documents of another kind have at their top, and what these are called
 */
export function schemaProblems(
  schema: z.ZodType,
  value: unknown,
  locator: Locator,
  elsewhere: { readonly keys: readonly string[]; readonly document: string } | null = null,
): readonly FoundProblem[] {
  const checked = schema.safeParse(value);
  if (checked.success) return [];
  return checked.error.issues.flatMap((issue) => problemsOf(issue, schema, value, locator, elsewhere));
}

function problemsOf(
  issue: Issue,
  schema: z.ZodType,
  value: unknown,
  locator: Locator,
  elsewhere: Parameters<typeof schemaProblems>[3],
): readonly FoundProblem[] {
  const at = (
    path: readonly PropertyKey[],
    atKey: boolean,
    rest: Pick<FoundProblem, "kind" | "found" | "wanted" | "nearest">,
  ): FoundProblem => ({
    file: locator.file,
    ...locator.place(path, atKey),
    path: path.map(String).join("."),
    ...rest,
  });
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(schema, issue.path);
    return issue.keys.map((key) => {
      if (issue.path.length === 0 && elsewhere?.keys.includes(key) === true)
        return at([key], true, { kind: "invalid", found: show(key), wanted: `it in ${elsewhere.document}`, nearest: null });
      const close = nearest(key, known);
      const wanted = close === null && known.length > 0 && known.length <= mostNamed ? `one of ${known.join(", ")}` : "a known key";
      return at([...issue.path, key], true, { kind: "invalid", found: show(key), wanted, nearest: close });
    });
  }
  if (issue.code === "custom" && issue.params?.["notYet"] === true) {
    const key = show(String(issue.path.at(-1) ?? ""));
    return [at(issue.path, true, { kind: "not-yet", found: key, wanted: issue.message, nearest: null })];
  }
  if (issue.code === "invalid_key") {
    return [
      at(issue.path, true, {
        kind: "invalid",
        found: show(String(issue.path.at(-1) ?? "")),
        wanted: issue.issues[0]?.message ?? issue.message,
        nearest: null,
      }),
    ];
  }
  const found = valueAt(value, issue.path);
  const keys = issue.code === "invalid_type" && issue.expected === "object" && !isOwnMessage(issue) ? knownKeys(schema, issue.path) : [];
  const wanted = keys.length === 0 || keys.length > mostNamed ? wantedOf(issue) : `a map with keys of ${keys.join(", ")}`;
  const close = issue.code === "invalid_value" && typeof found === "string" ? nearest(found, issue.values.map(String)) : null;
  return [at(issue.path, false, { kind: "invalid", found: show(found), wanted, nearest: close })];
}

const typeNames: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a map of keys",
  record: "a map of keys",
};

function wantedOf(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      if (isOwnMessage(issue)) return issue.message;
      return Object.hasOwn(typeNames, issue.expected) ? (typeNames[issue.expected] as string) : issue.expected;
    case "invalid_value":
      return issue.values.length === 1 ? show(issue.values[0]) : `one of ${issue.values.map(String).join(", ")}`;
    case "too_small":
      return isOwnMessage(issue) ? issue.message : `at least ${issue.minimum}${unitOf(issue.origin)}`;
    case "too_big":
      return isOwnMessage(issue) ? issue.message : `at most ${issue.maximum}${unitOf(issue.origin)}`;
    case "invalid_union":
      return isOwnMessage(issue) ? issue.message : alternatives(issue);
    default:
      return issue.message;
  }
}

/** The schema library's own messages start like this; the ones of our schemas never do. */
function isOwnMessage(issue: Issue): boolean {
  return !/^(Too (small|big)|Invalid )/.test(issue.message);
}

function unitOf(origin: string): string {
  if (origin === "string") return " characters";
  return origin === "array" ? " entries" : "";
}

function alternatives(issue: Extract<Issue, { code: "invalid_union" }>): string {
  const each = issue.errors.flatMap((inner) => inner.slice(0, 1).map((one) => wantedOf(one)));
  return [...new Set(each)].join(", or ") || issue.message;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<PropertyKey, unknown>)[part];
  }
  return at;
}

/** The keys that the schema knows for the map at `path`; empty where any key goes. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let at: z.core.$ZodType | undefined = schema;
  for (const part of path) {
    const inner: z.core.$ZodType | undefined = at === undefined ? undefined : unwrap(at);
    const definition = (inner as z.ZodType | undefined)?.def as
      | { type: string; shape?: Record<string, z.core.$ZodType>; valueType?: z.core.$ZodType; element?: z.core.$ZodType }
      | undefined;
    if (definition?.type === "object") at = definition.shape?.[String(part)];
    else if (definition?.type === "record") at = definition.valueType;
    else if (definition?.type === "array") at = definition.element;
    else at = undefined;
  }
  const definition = (at === undefined ? undefined : (unwrap(at) as z.ZodType).def) as { type: string; shape?: object } | undefined;
  return definition?.type === "object" ? Object.keys(definition.shape ?? {}) : [];
}

/** The schema inside optional, default, pipe and the like; of a union, the first alternative that is a map. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  const definition = (schema as z.ZodType).def as {
    type: string;
    innerType?: z.core.$ZodType;
    in?: z.core.$ZodType;
    options?: readonly z.core.$ZodType[];
  };
  if (definition.innerType !== undefined) return unwrap(definition.innerType);
  if (definition.type === "pipe" && definition.in !== undefined) return unwrap(definition.in);
  if (definition.type === "union") {
    const maps = (definition.options ?? []).map(unwrap);
    return maps.find((option) => (option as z.ZodType).def.type === "object") ?? schema;
  }
  return schema;
}
