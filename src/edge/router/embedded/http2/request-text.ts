import { fieldValue, token } from "../http/characters.ts";

/** A request of HTTP/2 as HTTP/1.1 has it. */
export interface RequestText {
  /** Head with its empty line, ready for the strict reader. */
  readonly head: string;
  readonly method: string;
  /** Whether the body that follows is sent in chunks. */
  readonly isChunked: boolean;
}

/** Only for one connection of HTTP/1; HTTP/2 has no place for them (RFC 9113, section 8.2.2). */
const ofConnections = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);
const pseudoNames = new Set([":method", ":path", ":scheme", ":authority"]);
/** What the line-based form could take for the end of its line or target. */
const targetPattern = /^[\x21-\x7e]+$/;

/**
 * Writes the head anew for the reader of HTTP/1.1, which has the last word on everything: so a request means the same over both. Null if it is
 * malformed (RFC 9113, section 8.1.1): pseudo fields missing, doubled or late, a name that is none, a value that could be read as another line.
 * @param raw names and values in turn, as they came
 */
export function requestText(raw: readonly string[], hasBody: boolean): RequestText | null {
  const pseudo = new Map<string, string>();
  let lines = "";
  let cookies = "";
  let host: string | null = null;
  let hasLength = false;
  for (let at = 0; at < raw.length; at += 2) {
    const [name = "", value = ""] = [raw[at], raw[at + 1]];
    if (name.startsWith(":")) {
      // After an ordinary field none may come.
      if (lines !== "" || cookies !== "" || host !== null || !pseudoNames.has(name) || pseudo.has(name)) return null;
      pseudo.set(name, value);
      continue;
    }
    if (!isName(name) || !isValue(value) || ofConnections.has(name)) return null;
    if (name === "te" && value.toLowerCase() !== "trailers") return null;
    if (name === "host") {
      if (host !== null) return null;
      host = value;
    } else if (name === "cookie") cookies += `${cookies === "" ? "" : "; "}${value}`;
    else {
      if (name === "content-length") hasLength = true;
      lines += `${name}: ${value}\r\n`;
    }
  }
  const [method, path, scheme, authority] = [":method", ":path", ":scheme", ":authority"].map((name) => pseudo.get(name));
  if (method === undefined || path === undefined || scheme === undefined) return null;
  if (!targetPattern.test(method) || !targetPattern.test(path) || !targetPattern.test(scheme)) return null;
  if (authority !== undefined && !isValue(authority)) return null;
  // The same twice is one; two hosts could be read in two ways.
  if (authority !== undefined && host !== null && authority.toLowerCase() !== host.toLowerCase()) return null;
  const isChunked = hasBody && !hasLength;
  const head =
    `${method} ${path} HTTP/1.1\r\nhost: ${authority ?? host ?? ""}\r\n${lines}` +
    (cookies === "" ? "" : `cookie: ${cookies}\r\n`) +
    (isChunked ? "transfer-encoding: chunked\r\n\r\n" : "\r\n");
  return { head, method, isChunked };
}

/** Lower case alone (RFC 9113, section 8.2.1). */
function isName(name: string): boolean {
  if (name === "") return false;
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    if (token[code] !== 1 || (code >= 65 && code <= 90)) return false;
  }
  return true;
}

function isValue(value: string): boolean {
  for (let at = 0; at < value.length; at++) if (fieldValue[value.charCodeAt(at)] !== 1) return false;
  return value === value.trim();
}
