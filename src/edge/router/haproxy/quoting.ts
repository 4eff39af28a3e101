import { isIP } from "node:net";
import { canonicalTarget } from "../embedded/http/target.ts";

/*
 * Nothing of the table enters a configuration, a map or a command as it stands: it passes one of these functions, each of which gives a word that
 * cannot end before its end, or null for what has no such form.
 */

/** Text as one word of a configuration line: printable ASCII between single quotes, where nothing but the quote itself means anything. */
export function quoted(text: string): string | null {
  if (!/^[\x20-\x7e]*$/.test(text)) return null;
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The same inside a format string, where `%` begins a variable. */
export function formatted(text: string): string {
  return quoted(printable(text).replaceAll("%", "%%")) as string;
}

/** ASCII alone on one line, so that no terminal, browser or map file finds anything to act on. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?");
}

const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** A route's host in the one form that requests are compared in: lower case, no dot at its end; `*` and `*.` in front are kept. Null if it is none. */
export function routeHost(host: string): string | null {
  const lower = host.toLowerCase().replace(/\.$/, "");
  if (lower === "*") return lower;
  if (lower.startsWith("[") && lower.endsWith("]") && isIP(lower.slice(1, -1)) === 6) return lower;
  const name = lower.startsWith("*.") ? lower.slice(2) : lower;
  return name.length <= 253 && name.split(".").every((part) => label.test(part)) ? lower : null;
}

/** A route's path prefix as the key of a map: canonical, with a slash at its end, so that it only covers whole segments. Null if it is none. */
export function routePath(path: string): string | null {
  const canonical = path.includes("?") ? undefined : canonicalTarget(path)?.path;
  if (canonical === undefined || !/^[\x21-\x7e]+$/.test(canonical) || /[\\;#?]/.test(canonical)) return null;
  return canonical.endsWith("/") ? canonical : `${canonical}/`;
}

/** An address for a `server` line or command. Null for what is no IP address: names would be looked up at start alone. */
export function serverAddress(host: string, port: number): string | null {
  const version = isIP(host);
  if (version === 0 || host.includes("%") || !Number.isInteger(port) || port < 1 || port > 65_535) return null;
  return version === 6 ? `ipv6@[${host}]:${port}` : `${host}:${port}`;
}

/** Milliseconds as HAProxy takes them, from 1 to 24 days, its longest. */
export function milliseconds(ms: number): string {
  return `${Math.min(Math.max(1, Math.round(ms)), 2_000_000_000)}ms`;
}
