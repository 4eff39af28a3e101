import { isDigest } from "./names.ts";
import { formatDuration, formatSize } from "./quantities.ts";

/** What a digest is told apart by: as many digits as git shows of a commit of a large project. */
const digestDigits = 12;
/** Durations whose keys do not end in their unit. */
const durations: ReadonlySet<string> = new Set(["deadline", "hold", "p99"]);
/** Shares from 0 to 1. */
const shares: ReadonlySet<string> = new Set(["steps", "share", "errors"]);
/** Keys that say of what kind something is, where its other keys say so too. */
const wrappers: ReadonlySet<string> = new Set(["target", "share"]);

/** A path of a plan as the manifest would write it: without `release.`, and without the unit at its end. */
export function pathWords(path: string): string {
  const keys = path.replace(/^release\./, "").split(".");
  // Names of variables, secrets and needed apps are people's own and stay as they are.
  const isOwnName = ["env", "secrets", "needs"].includes(keys[0] ?? "");
  return isOwnName
    ? keys.join(".")
    : keys
        .filter((key, at) => at === 0 || !wrappers.has(key))
        .map(keyWord)
        .join(".");
}

/** A value of a plan in the words of a manifest: `30s`, `256MiB`, `25%`, the start of a digest, lists and maps without brackets. */
export function valueWords(path: string, value: unknown): string {
  const keys = path.replace(/^release\./, "").split(".");
  if (value === null || value === undefined) return "nothing";
  if (keys[0] === "env") return text(String(value));
  if (keys[0] === "secrets" && typeof value === "number") return `version ${value}`;
  return words(keys.at(-1) ?? "", value);
}

function words(key: string, value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map((one) => words(key, one)).join(", ");
  if (typeof value === "object") return mapWords(key, value as Readonly<Record<string, unknown>>);
  if (typeof value === "number") return numberWords(key, value);
  if (typeof value === "string" && isDigest(value)) return value.slice("sha256:".length, "sha256:".length + digestDigits);
  return typeof value === "string" ? text(value) : String(value);
}

function mapWords(key: string, map: Readonly<Record<string, unknown>>): string {
  if (key === "target") return [map["kind"], map["path"] ?? map["run"]].filter((part) => part !== undefined).join(" ");
  if (key === "routes") return `${String(map["host"])}${String(map["path"])} to ${String(map["to"])}`;
  const given = Object.entries(map).filter(([, value]) => value !== null && value !== undefined);
  if (given.length === 0) return "none";
  return given.map(([name, value]) => (wrappers.has(name) ? words(name, value) : `${keyWord(name)} ${words(name, value)}`)).join(", ");
}

function numberWords(key: string, value: number): string {
  if (key.endsWith("Ms") || durations.has(key)) return formatDuration(value);
  if (key.endsWith("Bytes")) return formatSize(value);
  return shares.has(key) ? `${Number((value * 100).toFixed(3))}%` : String(value);
}

function keyWord(key: string): string {
  return key.replace(/(?<=[a-z])(Ms|Bytes)$/, "");
}

/** Text that could be taken for something else, or for nothing, is quoted. */
function text(value: string): string {
  return value === "" || value !== value.trim() || value === "nothing" ? JSON.stringify(value) : value;
}
