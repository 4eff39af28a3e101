import type { LogEventFields } from "./log-fields.ts";

/**
 * Values that are not shown, in every form in which lines may have them, by the space whose they are. They go with a question, so that it is answered by what
 * is shown: whoever searches for a guess must not learn from the answer that it stands there.
 */
export type LogMasks = Readonly<Record<string, readonly string[]>>;

/** What stands in place of a value. */
export const maskedAs = "******";

/** Finds any of the forms; null where there are none. The longest first, so that one which begins another does not leave its end. */
export function maskPattern(forms: Iterable<string>): RegExp | null {
  const parts = [...new Set(forms)].filter((form) => form !== "").sort((a, b) => b.length - a.length);
  return parts.length === 0 ? null : new RegExp(parts.map((form) => RegExp.escape(form)).join("|"), "g");
}

export function maskText(text: string, pattern: RegExp | null): string {
  return pattern === null ? text : text.replace(pattern, maskedAs);
}

/** Fields too, whatever stands in the text: there, anything may be written as an escape. */
export function maskFields(fields: LogEventFields, pattern: RegExp | null): LogEventFields {
  if (pattern === null) return fields;
  const masked: Record<string, LogEventFields[string]> = Object.create(null);
  for (const [name, value] of Object.entries(fields)) {
    const text = String(value);
    const shown = text.replace(pattern, maskedAs);
    masked[name] = shown === text ? value : shown;
  }
  return masked;
}

/** The space of an instance. */
export function spaceOfInstance(instance: string): string {
  return instance.slice(0, instance.indexOf("/"));
}
