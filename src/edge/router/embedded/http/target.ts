import { plainPath, query, unreserved } from "./characters.ts";

/**
 * The one form of a path that rules see and the app gets: unreserved characters without percent-encoding, other escapes in upper case, no
 * repeated slashes. Null if it has more than one reading: an escaped slash, backslash or control (also escaped twice), a dot segment, an
 * escape that is none, or bytes that are not UTF-8 (RFC 3986, section 6.2.2; overlong forms hide slashes and dots).
 */
export function canonicalPath(path: string): string | null {
  let out = "";
  const escaped: number[] = [];
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at);
    if (code !== 37) {
      if (plainPath[code] !== 1 && code !== 59) return null;
      if (!(code === 47 && out.endsWith("/"))) out += path[at];
      if (!flushIsUtf8(escaped)) return null;
      continue;
    }
    const byte = escapedByte(path, at);
    if (byte === -1 || isTreacherous(byte)) return null;
    if (byte === 37) {
      const inner = escapedByte(`%${path.slice(at + 3, at + 5)}`, 0);
      if (inner !== -1 && (isTreacherous(inner) || inner === 46 || inner === 37)) return null;
    }
    at += 2;
    if (byte >= 128) escaped.push(byte);
    else if (!flushIsUtf8(escaped)) return null;
    out += unreserved[byte] === 1 ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  if (!flushIsUtf8(escaped)) return null;
  return hasDotSegment(out) ? null : out;
}

/** Slash, backslash, controls: what another reader might take for structure. */
function isTreacherous(byte: number): boolean {
  return byte === 47 || byte === 92 || byte < 32 || byte === 127;
}

function escapedByte(text: string, at: number): number {
  const digits = text.slice(at + 1, at + 3);
  return /^[0-9A-Fa-f]{2}$/.test(digits) ? Number.parseInt(digits, 16) : -1;
}

const decoder = new TextDecoder("utf-8", { fatal: true });

function flushIsUtf8(bytes: number[]): boolean {
  if (bytes.length === 0) return true;
  try {
    decoder.decode(Uint8Array.from(bytes));
    return true;
  } catch {
    // Not UTF-8 is the answer, not a failure.
    return false;
  } finally {
    bytes.length = 0;
  }
}

/** Parameters count as absent: `..;x` is `..` to servers that know path parameters. */
function hasDotSegment(path: string): boolean {
  return path.split("/").some((segment) => {
    const name = segment.split(";", 1)[0];
    return name === "." || name === "..";
  });
}

/** A request target in origin form, path canonical; null if it is refused. */
export function canonicalTarget(target: string): { readonly path: string; readonly target: string } | null {
  if (target.charCodeAt(0) !== 47) return null;
  const mark = target.indexOf("?");
  const path = canonicalPath(mark === -1 ? target : target.slice(0, mark));
  if (path === null) return null;
  if (mark === -1) return { path, target: path };
  for (let at = mark + 1; at < target.length; at++) if (query[target.charCodeAt(at)] !== 1) return null;
  return { path, target: path + target.slice(mark) };
}
