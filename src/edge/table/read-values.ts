import { DroverError } from "#model/errors.ts";

/** What tables hold, each checked where it stands. @throws {DroverError} REQUEST_INVALID, with the place that does not fit. */
export type Fields = Readonly<Record<string, unknown>>;

export function object(value: unknown, at: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(at, "an object", value);
  return value as Fields;
}

export function list(fields: Fields, key: string, at: string): readonly unknown[] {
  const value = fields[key];
  if (!Array.isArray(value)) throw wrong(`${at}.${key}`, "a list", value);
  return value;
}

/** Longest name in a table: ids are a few names of 40 letters. */
const longestText = 1_024;

export function text(value: unknown, at: string, longest = longestText): string {
  if (typeof value !== "string" || value === "" || value.length > longest) throw wrong(at, "a text", value);
  return value;
}

export function integer(fields: Fields, key: string, at: string): number {
  const value = fields[key];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw wrong(`${at}.${key}`, "an integer from 0", value);
  return value;
}

export function oneOf<const T extends string>(fields: Fields, key: string, at: string, known: readonly T[]): T {
  const value = fields[key];
  const found = known.find((one) => one === value);
  if (found === undefined) throw wrong(`${at}.${key}`, known.join(" or "), value);
  return found;
}

export function flag(fields: Fields, key: string, at: string): boolean {
  const value = fields[key];
  if (typeof value !== "boolean") throw wrong(`${at}.${key}`, "true or false", value);
  return value;
}

export function number(fields: Fields, key: string, at: string): number {
  const value = fields[key];
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0) throw wrong(`${at}.${key}`, "a number from 0", value);
  return value;
}

export function port(fields: Fields, at: string): number {
  const value = integer(fields, "port", at);
  if (value < 1 || value > 65_535) throw wrong(`${at}.port`, "a port", value);
  return value;
}

export function wrong(at: string, wanted: string, found: unknown): DroverError {
  return new DroverError(
    "REQUEST_INVALID",
    `"${at}" of a routing table is ${(JSON.stringify(found) ?? "missing").slice(0, 100)}, not ${wanted}`,
    {
      hint: "The server and the edge are of different versions.",
    },
  );
}
