import { isIP, isIPv4 } from "node:net";

/** An address and port as a PROXY protocol header says them. */
export interface Source {
  readonly address: string;
  readonly port: number;
}

export type HeaderRead =
  /** It may yet become a header. */
  | { readonly kind: "more" }
  /** It is none. */
  | { readonly kind: "none" }
  | { readonly kind: "invalid" }
  /** `source` null: the proxy speaks for itself (LOCAL, UNKNOWN). */
  | { readonly kind: "header"; readonly source: Source | null; readonly bytes: number };

const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const firstWord = Buffer.from("PROXY ", "latin1");
/** Longest header of version 1, by its specification. */
const longestLine = 107;
/** Longest rest of a header of version 2: addresses and what proxies add, which is some hundred bytes. */
const longestRest = 4_096;

/** Reads a header of the PROXY protocol, version 1 or 2 (haproxy.org, proxy-protocol.txt), at the beginning of what came. */
export function readProxyHeader(bytes: Buffer): HeaderRead {
  if (startsWith(bytes, signature)) return bytes.length < signature.length + 4 ? { kind: "more" } : readBinary(bytes);
  if (startsWith(bytes, firstWord)) return bytes.length < firstWord.length ? { kind: "more" } : readLine(bytes);
  return { kind: "none" };
}

/** Whether one is the beginning of the other. */
function startsWith(bytes: Buffer, wanted: Buffer): boolean {
  const length = Math.min(bytes.length, wanted.length);
  return bytes.subarray(0, length).equals(wanted.subarray(0, length));
}

function readLine(bytes: Buffer): HeaderRead {
  const text = bytes.toString("latin1", 0, Math.min(bytes.length, longestLine));
  const end = text.indexOf("\r\n");
  if (end === -1) return bytes.length >= longestLine ? { kind: "invalid" } : { kind: "more" };
  const line = text.slice(0, end);
  const length = end + 2;
  if (/^PROXY UNKNOWN(?: [\x20-\x7e]*)?$/.test(line)) return { kind: "header", source: null, bytes: length };
  const [, family, from = "", to = "", fromPort = "", toPort = ""] =
    /^PROXY TCP([46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) (\d{1,5}) (\d{1,5})$/.exec(line) ?? [];
  const version = family === "4" ? 4 : 6;
  const ports = [fromPort, toPort].map(Number);
  const isRight =
    family !== undefined &&
    isIP(from) === version &&
    isIP(to) === version &&
    ports.every((port) => port <= 65_535) &&
    [fromPort, toPort].every((port) => port === "0" || !port.startsWith("0"));
  return isRight ? { kind: "header", source: { address: from, port: ports[0] ?? 0 }, bytes: length } : { kind: "invalid" };
}

function readBinary(bytes: Buffer): HeaderRead {
  const command = bytes.readUInt8(12);
  const family = bytes.readUInt8(13);
  const rest = bytes.readUInt16BE(14);
  const end = 16 + rest;
  if ((command !== 0x20 && command !== 0x21) || rest > longestRest) return { kind: "invalid" };
  const addressBytes = { 0: 0, 1: 12, 2: 36, 3: 216 }[family >> 4];
  if (addressBytes === undefined || (family & 15) > 2) return { kind: "invalid" };
  if (bytes.length < end) return { kind: "more" };
  const isLocal = command === 0x20 || family === 0;
  // What a proxy says of itself may leave out the addresses; what it says of others may not.
  if (!isLocal && rest < addressBytes) return { kind: "invalid" };
  if (!isLocal && !hasWholeExtras(bytes.subarray(16 + addressBytes, end))) return { kind: "invalid" };
  if (isLocal || addressBytes === 216) return { kind: "header", source: null, bytes: end };
  const isFour = addressBytes === 12;
  const address = isFour ? [...bytes.subarray(16, 20)].join(".") : sixOf(bytes.subarray(16, 32));
  return { kind: "header", source: { address, port: bytes.readUInt16BE(16 + (isFour ? 8 : 32)) }, bytes: end };
}

/** Type, length and value, again and again, to the last byte. */
function hasWholeExtras(bytes: Buffer): boolean {
  let at = 0;
  while (at < bytes.length) {
    if (at + 3 > bytes.length) return false;
    at += 3 + bytes.readUInt16BE(at + 1);
  }
  return at === bytes.length;
}

/** An IPv4 client that came over IPv6 is the IPv4 client. */
function sixOf(bytes: Buffer): string {
  if (bytes.subarray(0, 12).equals(Buffer.from("00000000000000000000ffff", "hex"))) return [...bytes.subarray(12)].join(".");
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  // The one short form of the URL standard: the longest run of zeros, the first of equals.
  return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
}

/** A header of version 2 that says who is at the other end of a connection, or sent a datagram. */
export function proxyHeader(protocol: "tcp" | "udp", from: Source, to: Source): Buffer {
  const isFour = isIPv4(from.address) && isIPv4(to.address);
  const known = isIP(from.address) !== 0 && isIP(to.address) !== 0;
  if (!known) return Buffer.concat([signature, Buffer.from([0x20, 0, 0, 0])]);
  const addresses = isFour ? [four(from.address), four(to.address)] : [six(from.address), six(to.address)];
  const head = Buffer.alloc(4);
  head.writeUInt8(0x21, 0);
  head.writeUInt8((isFour ? 0x10 : 0x20) | (protocol === "tcp" ? 1 : 2), 1);
  head.writeUInt16BE(isFour ? 12 : 36, 2);
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(from.port, 0);
  ports.writeUInt16BE(to.port, 2);
  return Buffer.concat([signature, head, ...addresses, ports]);
}

function four(address: string): Buffer {
  return Buffer.from(address.split(".").map(Number));
}

function six(address: string): Buffer {
  if (isIPv4(address)) return Buffer.concat([Buffer.from("00000000000000000000ffff", "hex"), four(address)]);
  const [head = "", tail] = new URL(`http://[${address.split("%", 1)[0]}]/`).hostname.slice(1, -1).split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = [...before, ...new Array<string>(8 - before.length - after.length).fill("0"), ...after];
  const bytes = Buffer.alloc(16);
  for (const [i, group] of groups.entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), 2 * i);
  return bytes;
}
