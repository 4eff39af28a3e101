import type { Readable } from "node:stream";
import { pipeline, Readable as ReadableStream } from "node:stream";
import { createGunzip } from "node:zlib";
import { blockBytes } from "#host/tar-entry.ts";
import { DroverError } from "#model/errors.ts";
import {
  decodeHeader,
  decodeLongName,
  decodePax,
  invalid,
  isZeroBlock,
  longestExtendedBytes,
  type TarHeader,
  type TarOverrides,
} from "./tar-header.ts";

/** What one archive may take, so that neither a bomb nor an endless stream does harm. */
export interface ArchiveLimits {
  /** Bytes as they arrive. */
  readonly archiveBytes: number;
  /** Bytes of all files together, unpacked. */
  readonly contentBytes: number;
  /** Entries of every kind. */
  readonly files: number;
}

export interface TarEntry extends TarHeader {
  /** The content. What a reader leaves is passed over. */
  readonly body: AsyncIterable<Buffer>;
}

/** Most bytes that headers take beside an entry's content: two blocks, a pax header and padding are far less. */
const overheadBytes = 8 * 1024;

/**
 * The entries of a tar or tar.gz stream, one after another. Aborting destroys `source`; whatever else ends the reading leaves it open.
 * @throws {DroverError} ARCHIVE_INVALID when it is no archive, is cut short or goes over `limits`; ARCHIVE_UNSAFE for sparse files.
 */
export async function* readTar(source: Readable, limits: ArchiveLimits, signal: AbortSignal): AsyncGenerator<TarEntry, void, void> {
  signal.throwIfAborted();
  const stop = () => source.destroy(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    const bytes = new ByteReader(await unpacked(source, limits), limits.contentBytes + limits.files * overheadBytes + 2 ** 20);
    try {
      yield* readEntries(bytes, limits, signal);
    } finally {
      await bytes.close();
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

async function* readEntries(bytes: ByteReader, limits: ArchiveLimits, signal: AbortSignal): AsyncGenerator<TarEntry, void, void> {
  let overrides: TarOverrides = {};
  let entries = 0;
  for (;;) {
    signal.throwIfAborted();
    const block = await bytes.take(blockBytes);
    if (block === null) throw invalid("it ends before its end mark; it was probably cut short");
    if (isZeroBlock(block)) return bytes.drain();
    const header = decodeHeader(block);
    if (isExtended(header.type)) {
      overrides = { ...overrides, ...(await readExtended(bytes, header)) };
      continue;
    }
    if (++entries > limits.files) throw overLimit(`has more than ${limits.files} entries`);
    const sizeBytes = overrides.size ?? header.sizeBytes;
    if (sizeBytes > limits.contentBytes) throw tooLarge(limits.contentBytes);
    const body = bytes.body(sizeBytes);
    yield { ...header, name: overrides.path ?? header.name, linkTarget: overrides.linkpath ?? header.linkTarget, sizeBytes, body };
    for await (const _ of body);
    await bytes.skipPadding(sizeBytes);
    overrides = {};
  }
}

function isExtended(type: string): boolean {
  return type === "x" || type === "g" || type === "L" || type === "K";
}

async function readExtended(bytes: ByteReader, header: TarHeader): Promise<TarOverrides> {
  if (header.sizeBytes > longestExtendedBytes) throw invalid(`an extended header is over ${longestExtendedBytes} bytes`);
  const content = await bytes.take(header.sizeBytes);
  if (content === null) throw invalid("it ends inside a header");
  await bytes.skipPadding(header.sizeBytes);
  if (header.type === "L") return { path: decodeLongName(content) };
  if (header.type === "K") return { linkpath: decodeLongName(content) };
  const records = decodePax(content);
  if (header.type === "x") return records;
  // Global headers carry remarks, such as the commit that "git archive" names. One that renames every entry has no honest use.
  if (Object.keys(records).length > 0) throw invalid("a global header names paths or sizes");
  return {};
}

export function tooLarge(limit: number): DroverError {
  return overLimit(`unpacks to more than ${limit} bytes`);
}

export function overLimit(what: string): DroverError {
  return new DroverError("ARCHIVE_INVALID", `the archive ${what}`, {
    hint: "Leave out what the app does not need; .droverignore takes the patterns of .gitignore.",
  });
}

/** The bytes of the tar itself. Gzip is known by its first two bytes. */
async function unpacked(source: Readable, limits: ArchiveLimits): Promise<AsyncIterator<Buffer>> {
  const counted = countBytes(source, limits.archiveBytes)[Symbol.asyncIterator]();
  const first: Buffer[] = [];
  for (let have = 0; have < 2; ) {
    const next = await counted.next();
    if (next.done) break;
    first.push(next.value);
    have += next.value.length;
  }
  const start = Buffer.concat(first);
  const whole = chained(start, counted);
  if (start[0] !== 0x1f || start[1] !== 0x8b) return whole[Symbol.asyncIterator]();
  const gunzip = createGunzip();
  // The callback is empty because a failure of either stream comes out of `gunzip`, which is read to its end.
  pipeline(ReadableStream.from(whole), gunzip, () => {});
  return translateZlib(gunzip)[Symbol.asyncIterator]();
}

async function* countBytes(source: Readable, limit: number): AsyncGenerator<Buffer, void, void> {
  let count = 0;
  // The source may be one half of a call whose other half still has to carry the answer, so it is left open.
  for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    count += chunk.length;
    if (count > limit) throw overLimit(`is larger than ${limit} bytes`);
    if (chunk.length > 0) yield chunk;
  }
}

async function* chained(start: Buffer, rest: AsyncGenerator<Buffer, void, void>): AsyncGenerator<Buffer, void, void> {
  if (start.length > 0) yield start;
  yield* rest;
}

async function* translateZlib(gunzip: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  try {
    yield* gunzip;
  } catch (error) {
    if (error instanceof Error && "code" in error && String(error.code).startsWith("Z_"))
      throw invalid("its gzip is damaged", { cause: error });
    throw error;
  }
}

/** Takes exact numbers of bytes from chunks of any size. */
class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #limit: number;
  #left: Buffer = Buffer.alloc(0);
  #count = 0;

  constructor(chunks: AsyncIterator<Buffer>, limit: number) {
    this.#chunks = chunks;
    this.#limit = limit;
  }

  /** Exactly `count` bytes, or null when the stream has ended before the first of them. */
  async take(count: number): Promise<Buffer | null> {
    const parts: Buffer[] = [];
    let missing = count;
    while (missing > 0) {
      const chunk = await this.#next(missing);
      if (chunk === null) {
        if (missing === count) return null;
        throw invalid("it is cut short");
      }
      parts.push(chunk);
      missing -= chunk.length;
    }
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  }

  /** The next `count` bytes in chunks. One pass: a second iteration goes on where the first stopped. */
  body(count: number): AsyncIterable<Buffer> {
    let missing = count;
    const next = async (): Promise<IteratorResult<Buffer>> => {
      if (missing === 0) return { done: true, value: undefined };
      const chunk = await this.#next(missing);
      if (chunk === null) throw invalid("it is cut short");
      missing -= chunk.length;
      return { done: false, value: chunk };
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  async skipPadding(size: number): Promise<void> {
    const count = (blockBytes - (size % blockBytes)) % blockBytes;
    if (count > 0 && (await this.take(count)) === null) throw invalid("it is cut short");
  }

  /** Reads what follows the end mark, so that whoever sends it can finish. */
  async drain(): Promise<void> {
    while ((await this.#next(2 ** 20)) !== null);
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #next(most: number): Promise<Buffer | null> {
    if (this.#left.length === 0) {
      const next = await this.#chunks.next();
      if (next.done) return null;
      this.#count += next.value.length;
      if (this.#count > this.#limit) throw tooLarge(this.#limit);
      this.#left = next.value;
    }
    const taken = this.#left.subarray(0, most);
    this.#left = this.#left.subarray(taken.length);
    return taken;
  }
}
