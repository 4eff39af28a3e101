/**
 * Checks by hand for what agents and edges read: a greeting, their own records. The schema library would cost each of them some 15 MB
 * of memory for these few keys; whatever people write goes through it, at the server.
 */

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isText(value: unknown, longest = 4_096): value is string {
  return typeof value === "string" && value.length <= longest;
}

/** A whole number from 0. */
export function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

export function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

export function isListOf<T>(value: unknown, isOne: (one: unknown) => one is T): value is readonly T[] {
  // Not `every(isOne)`: it would hand the index over as a second argument, which `isText` takes for a length.
  return Array.isArray(value) && value.every((one) => isOne(one));
}

/** The JSON value of `text`, or undefined where that is none, as after a power cut. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
