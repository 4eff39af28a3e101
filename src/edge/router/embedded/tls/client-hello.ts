/** What the first message of a TLS client asks for. */
export interface ClientHello {
  /** In lower case; empty if it names no host. */
  readonly serverName: string;
  /** Protocols that it offers (ALPN). */
  readonly protocols: readonly string[];
}

/** The longest first message that is waited for: real ones, with post-quantum keys and all, are below 4 KiB. */
export const longestHello = 16_384;

const handshakeRecord = 22;
const clientHelloMessage = 1;
const serverNameExtension = 0;
const alpnExtension = 16;

/**
 * Reads a ClientHello (RFC 8446, section 4.1.2) from the beginning of a connection, without taking part in the handshake.
 * `more` while bytes are missing, null if it is none: every length is checked against what is there.
 */
export function readClientHello(bytes: Buffer): ClientHello | "more" | null {
  const message = joinRecords(bytes);
  if (message === null || message === "more") return message;
  // Version, random; then session id, cipher suites and compression methods, each with its length in front.
  let at = 4 + 2 + 32;
  for (const width of [1, 2, 1]) {
    const end = skipVector(message, at, width, message.length);
    if (end === -1) return null;
    at = end;
  }
  // A client without extensions names no host.
  if (at === message.length) return { serverName: "", protocols: [] };
  const end = skipVector(message, at, 2, message.length);
  return end === message.length ? readExtensions(message, at + 2, end) : null;
}

/** The ClientHello message, which may be cut into several records. */
function joinRecords(bytes: Buffer): Buffer | "more" | null {
  const parts: Buffer[] = [];
  let have = 0;
  for (let at = 0; ; ) {
    if (bytes.length > at && bytes[at] !== handshakeRecord) return null;
    if (bytes.length > at + 1 && bytes[at + 1] !== 3) return null;
    if (bytes.length < at + 5) return bytes.length > longestHello ? null : "more";
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > 2 ** 14) return null;
    const part = bytes.subarray(at + 5, at + 5 + length);
    parts.push(part);
    have += part.length;
    const message = parts.length === 1 ? part : Buffer.concat(parts);
    if (message.length > 0 && message[0] !== clientHelloMessage) return null;
    if (message.length >= 4) {
      const wanted = 4 + message.readUIntBE(1, 3);
      if (wanted > longestHello) return null;
      if (have >= wanted) return have === wanted ? message : null;
    }
    at += 5 + length;
    if (bytes.length < at) return bytes.length > longestHello ? null : "more";
  }
}

function readExtensions(message: Buffer, from: number, end: number): ClientHello | null {
  let serverName: string | null = null;
  let protocols: readonly string[] | null = null;
  for (let at = from; at < end; ) {
    if (at + 4 > end) return null;
    const kind = message.readUInt16BE(at);
    const stop = skipVector(message, at + 2, 2, end);
    if (stop === -1) return null;
    if (kind === serverNameExtension) {
      // The same extension twice could be read in two ways.
      if (serverName !== null) return null;
      serverName = readServerName(message, at + 4, stop);
      if (serverName === null) return null;
    } else if (kind === alpnExtension) {
      if (protocols !== null) return null;
      protocols = readProtocols(message, at + 4, stop);
      if (protocols === null) return null;
    }
    at = stop;
  }
  return { serverName: serverName ?? "", protocols: protocols ?? [] };
}

/** A list of exactly one host name (RFC 6066, section 3). */
function readServerName(message: Buffer, at: number, end: number): string | null {
  if (skipVector(message, at, 2, end) !== end || message[at + 2] !== 0 || skipVector(message, at + 3, 2, end) !== end) return null;
  const name = message.toString("latin1", at + 5, end).toLowerCase();
  return /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/.test(name) && name.length <= 253 ? name : null;
}

function readProtocols(message: Buffer, at: number, end: number): readonly string[] | null {
  if (skipVector(message, at, 2, end) !== end) return null;
  const protocols: string[] = [];
  for (let next = at + 2; next < end; ) {
    const stop = skipVector(message, next, 1, end);
    if (stop === -1 || stop === next + 1) return null;
    protocols.push(message.toString("latin1", next + 1, stop));
    next = stop;
  }
  return protocols;
}

/** Where a vector ends whose length stands in `width` bytes at `at`; -1 if that is past `end`. */
function skipVector(message: Buffer, at: number, width: 1 | 2 | number, end: number): number {
  if (at + width > end) return -1;
  const stop = at + width + message.readUIntBE(at, width);
  return stop > end ? -1 : stop;
}
