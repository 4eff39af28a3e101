import { headerChecksum } from "#host/tar-entry.ts";
import { DroverError } from "#model/errors.ts";

/**
 * The tar format as POSIX 1003.1 (ustar and pax) and GNU tar write it. Strict, because two readers that understand one archive differently are
 * how files get smuggled: what this one does not fully understand it refuses, and nothing is skipped, shortened or guessed.
 */

/** Largest extended header: a path of 4 kB and some attributes fit many times. */
export const longestExtendedBytes = 2 ** 20;

export interface TarHeader {
  readonly name: string;
  /** The type flag: `0` file, `1` hard link, `2` symbolic link, `3`–`6` devices, folders and FIFOs, `x` `g` `L` `K` extended headers. */
  readonly type: string;
  readonly mode: number;
  readonly sizeBytes: number;
  readonly linkTarget: string;
}

/** What an extended header says about the entry after it. */
export interface TarOverrides {
  readonly path?: string;
  readonly linkpath?: string;
  readonly size?: number;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** @throws {DroverError} ARCHIVE_INVALID */
export function decodeHeader(block: Buffer): TarHeader {
  if (headerChecksum(block) !== number(block, 148, 8, "checksum")) throw invalid("a header's checksum is wrong");
  const isPosix = block.toString("latin1", 257, 263) === "ustar\0";
  const prefix = isPosix ? text(block, 345, 155) : "";
  const name = text(block, 0, 100);
  const type = block[156] === 0 ? "0" : String.fromCharCode(block[156] as number);
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    // Before POSIX a folder was a file whose name ends in a slash.
    type: type === "0" && name.endsWith("/") ? "5" : type,
    mode: number(block, 100, 8, "mode"),
    sizeBytes: number(block, 124, 12, "size"),
    linkTarget: text(block, 157, 100),
  };
}

export function isZeroBlock(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

/** The records of a pax header: `length key=value\n`, the length counting itself. @throws {DroverError} ARCHIVE_INVALID, ARCHIVE_UNSAFE */
export function decodePax(bytes: Buffer): TarOverrides {
  const overrides: { path?: string; linkpath?: string; size?: number } = {};
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const digits = space === -1 || space - at > 7 ? "" : bytes.toString("latin1", at, space);
    const end = at + Number(digits);
    const equals = bytes.indexOf(0x3d, space);
    if (!/^[1-9]\d*$/.test(digits) || end > bytes.length || bytes[end - 1] !== 0x0a || equals === -1 || equals >= end)
      throw invalid("an extended header is malformed");
    const key = bytes.toString("latin1", space + 1, equals);
    const value = bytes.subarray(equals + 1, end - 1);
    if (key === "path" || key === "linkpath") overrides[key] = decodeText(value);
    else if (key === "size") overrides.size = paxSize(value.toString("latin1"));
    else if (key.startsWith("GNU.sparse.")) throw sparse();
    at = end;
  }
  return overrides;
}

/** The name in a GNU long-name header, which ends in a NUL. @throws {DroverError} ARCHIVE_INVALID */
export function decodeLongName(bytes: Buffer): string {
  return decodeText(bytes.at(-1) === 0 ? bytes.subarray(0, -1) : bytes);
}

export function invalid(reason: string, options: ErrorOptions = {}): DroverError {
  return new DroverError("ARCHIVE_INVALID", `the archive cannot be read: ${reason}`, {
    ...options,
    hint: 'Make it again with "tar -czf"; Drover reads tar and tar.gz.',
  });
}

export function sparse(): DroverError {
  return new DroverError("ARCHIVE_UNSAFE", "the archive has a sparse file, whose size on disk it may state freely", {
    hint: 'Make the archive without "--sparse".',
  });
}

function paxSize(value: string): number {
  const size = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(size)) throw invalid(`an entry states the size ${JSON.stringify(value.slice(0, 40))}`);
  return size;
}

function text(block: Buffer, offset: number, length: number): string {
  const field = block.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return decodeText(end === -1 ? field : field.subarray(0, end));
}

function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw invalid("a name is not UTF-8", { cause: error });
  }
}

/** Octal digits, or GNU's binary form (first bit set) for what octal cannot hold. */
function number(block: Buffer, offset: number, length: number, what: string): number {
  const field = block.subarray(offset, offset + length);
  if (((field[0] as number) & 0x80) !== 0) {
    let value = BigInt((field[0] as number) & 0x7f);
    for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid(`an entry's ${what} is beyond all measure`);
    return Number(value);
  }
  const digits = field
    .toString("latin1")
    .replace(/^ +/, "")
    .replace(/[ \0].*$/s, "");
  if (!/^[0-7]*$/.test(digits)) throw invalid(`an entry's ${what} is no number`);
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}
