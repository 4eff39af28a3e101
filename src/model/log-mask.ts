import { fieldsOf, type LogEventFields, type LogFieldValue } from "./log-fields.ts";

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

/**
 * Fields too, whatever stands in the text: there, anything may be written as an escape. And a value may be made of fields itself, as `host=db password=…` and
 * JSON are: where something of the text is hidden, only those fields are there that what is shown of it has too.
 * @param shown the text as it is shown
 */
export function maskFields(fields: LogEventFields, shown: string, pattern: RegExp | null): LogEventFields {
  const isPartHidden = shown.includes(maskedAs);
  if (pattern === null && !isPartHidden) return fields;
  const shownFields = isPartHidden ? fieldsOf(shown) : fields;
  const isShown = (name: string, value: LogFieldValue) =>
    shownFields[name] === value || (shown.includes(String(value)) && name.split(".").every((part) => shown.includes(part)));
  const masked: Record<string, LogFieldValue> = Object.create(null);
  for (const [name, value] of Object.entries(fields)) {
    if (maskText(name, pattern) !== name) continue;
    const text = String(value);
    const maskedText = maskText(text, pattern);
    const kept = maskedText === text ? value : maskedText;
    if (!isPartHidden || isShown(name, kept)) masked[name] = kept;
  }
  return masked;
}

/** The space of an instance. */
export function spaceOfInstance(instance: string): string {
  return instance.slice(0, instance.indexOf("/"));
}
