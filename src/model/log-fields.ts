import { isRecord } from "./shape.ts";

export type LogFieldValue = string | number | boolean | null;
/** Nested names are joined by dots: `user.id`. */
export type LogEventFields = Readonly<Record<string, LogFieldValue>>;

/** What one event may have: more is a document, not an event. */
const mostFields = 200;
const deepest = 5;
/** `name=value` and `name="a value"`, as logfmt and many libraries write them. */
const pair = /(?:^|\s)([A-Za-z_][\w.-]{0,63})=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))/g;
const none: LogEventFields = {};

/** The fields of a line: those of its JSON object, else its `name=value` pairs. Most lines have none. */
export function fieldsOf(text: string): LogEventFields {
  if (text.charCodeAt(0) === 0x7b) {
    const parsed = parseObject(text);
    if (parsed !== null) return flatten(parsed);
  }
  return text.includes("=") ? pairsOf(text) : none;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : null;
  } catch {
    // Most lines that begin like JSON and are none are output of programs; the text is the event then.
    return null;
  }
}

/** Without a prototype of its own, because an app chooses the names. */
function flatten(object: Readonly<Record<string, unknown>>): LogEventFields {
  const fields: Record<string, LogFieldValue> = Object.create(null);
  let count = 0;
  const add = (prefix: string, from: Readonly<Record<string, unknown>>, depth: number) => {
    for (const [name, value] of Object.entries(from)) {
      if (count >= mostFields) return;
      if (isRecord(value) && depth < deepest) add(`${prefix}${name}.`, value, depth + 1);
      else {
        fields[prefix + name] = isPlain(value) ? value : JSON.stringify(value);
        count++;
      }
    }
  };
  add("", object, 1);
  return fields;
}

function isPlain(value: unknown): value is LogFieldValue {
  return value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function pairsOf(text: string): LogEventFields {
  const fields: Record<string, LogFieldValue> = Object.create(null);
  let count = 0;
  for (const [, name = "", quoted, bare] of text.matchAll(pair)) {
    if (count++ >= mostFields) break;
    fields[name] = quoted === undefined ? (bare ?? "") : quoted.replaceAll(/\\(.)/g, "$1");
  }
  return fields;
}

const timeNames = ["time", "timestamp", "@timestamp", "ts", "datetime", "@t", "at"];
const isoStart = /^[[("]?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|[+-]\d\d:?\d\d))?)/;

/** The moment that a line says it is of, in epoch milliseconds; null where it says none. A time without a zone counts as UTC. */
export function statedTimeOf(text: string, fields: LogEventFields): number | null {
  for (const name of timeNames) {
    const value = fields[name];
    if (typeof value === "number") return epochMs(value);
    if (typeof value === "string") return parseTime(value);
  }
  return parseTime(text);
}

function parseTime(text: string): number | null {
  const stamp = isoStart.exec(text)?.[1];
  if (stamp === undefined) return null;
  const written = stamp.replace(",", ".").replace(" ", "T").replace(" ", "");
  const atMs = Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/.test(written) ? written : `${written}Z`);
  return Number.isNaN(atMs) ? null : atMs;
}

/** Seconds, milliseconds, microseconds or nanoseconds, told apart by their size: each for times from 1980 to 2200. */
function epochMs(value: number): number | null {
  if (!(value > 3e8)) return null;
  if (value < 7.3e9) return Math.round(value * 1_000);
  if (value < 7.3e12) return Math.round(value);
  return value < 7.3e15 ? Math.round(value / 1e3) : Math.round(value / 1e6);
}
