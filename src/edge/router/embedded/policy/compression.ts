import zlib from "node:zlib";
import { headerValues } from "../conditions.ts";

/** Below this an answer fits in a packet or two as it is. */
export const leastCompressed = 1_024;
/** Middling effort: the last percents cost several times the processor. */
const gzipLevel = 5;
const brotliQuality = 4;
/** Text and what is text inside. Event streams are not in it: their events must not wait for each other. */
const textLike =
  /^(?:text\/(?!event-stream)[\w.+-]+|application\/(?:json|javascript|xml|wasm|manifest\+json|x-ndjson|[\w.-]+\+(?:json|xml))|image\/(?:svg\+xml|bmp|x-icon)|font\/(?:ttf|otf))\s*(?:;|$)/i;
/** An answer to a part of a request, without a body, or about itself cannot be changed. */
const changeable = (status: number) => status >= 200 && status !== 204 && status !== 205 && status !== 206 && status !== 304;

export type Coding = "br" | "gzip";

/** What of an answer compression looks at. */
export interface CompressibleAnswer {
  readonly status: number;
  /** -1: not known before its end. */
  readonly contentLength: number;
  /** Its header lines, each with its CRLF. */
  readonly kept: string;
}

export interface Compression {
  /** Null: the client takes none, but others may. */
  readonly coding: Coding | null;
  /** The answer's header lines, changed to say so. */
  readonly lines: string;
}

/** What becomes of an answer; null if it is left as it is. @param requestLines the request's header lines */
export function planCompression(requestLines: string, answer: CompressibleAnswer): Compression | null {
  const { status, contentLength, kept } = answer;
  if (!changeable(status) || (contentLength !== -1 && contentLength < leastCompressed)) return null;
  if (!textLike.test(headerValues(kept, "content-type")[0] ?? "")) return null;
  // Compressed already, or of a digest that would be wrong.
  if (["content-encoding", "content-range", "content-digest", "content-md5", "digest"].some((name) => headerValues(kept, name).length > 0))
    return null;
  if (/\bno-transform\b/i.test(headerValues(kept, "cache-control").join(","))) return null;
  const coding = bestCoding(headerValues(requestLines, "accept-encoding").join(","));
  const lines = withVary(kept);
  return { coding, lines: coding === null ? lines : encoded(lines, coding) };
}

/** The client's choice by q-values (RFC 9110, section 12.5.3); brotli where it does not care. Null: as it is. */
export function bestCoding(acceptEncoding: string): Coding | null {
  if (acceptEncoding.length > 1_000) return null;
  const weights = new Map<string, number>();
  for (const part of acceptEncoding.toLowerCase().split(",")) {
    const [name = "", ...parameters] = part.split(";").map((one) => one.trim());
    const q = parameters.find((one) => one.startsWith("q="))?.slice(2);
    if (q === undefined) weights.set(name, 1);
    else weights.set(name, /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(q) ? Number(q) : 0);
  }
  const of = (name: string) => weights.get(name) ?? weights.get("*") ?? 0;
  const [br, gzip] = [of("br"), weights.get("gzip") ?? weights.get("x-gzip") ?? of("*")];
  const asItIs = weights.get("identity") ?? 0;
  const best = Math.max(br, gzip);
  if (best === 0 || best < asItIs) return null;
  return br >= gzip ? "br" : "gzip";
}

function withVary(lines: string): string {
  const vary = headerValues(lines, "vary").join(",").toLowerCase();
  return vary.split(",").some((one) => ["*", "accept-encoding"].includes(one.trim())) ? lines : `${lines}vary: accept-encoding\r\n`;
}

/** Without what was true of the bytes as they were; a strong validator becomes a weak one (RFC 9110, section 8.8.3). */
function encoded(lines: string, coding: Coding): string {
  const kept = lines
    .split("\r\n")
    .slice(0, -1)
    .flatMap((line) => {
      if (/^(?:content-length|accept-ranges):/i.test(line)) return [];
      return [line.replace(/^(etag:)[ \t]*(?=")/i, "$1 W/")];
    });
  return `${[...kept, `content-encoding: ${coding}`].join("\r\n")}\r\n`;
}

export interface CompressorUser {
  /** False if no more may come until `resume`. */
  onCompressed(piece: Buffer): boolean;
  onCompressedEnd(): void;
  onCompressDrain(): void;
  onCompressFailed(): void;
}

/** Compresses a body piece by piece. */
export class Compressor {
  readonly #stream: zlib.Gzip | zlib.BrotliCompress;
  readonly #coding: Coding;
  readonly #flushes: boolean;

  /** @param flushes whether each piece leaves at once: for answers whose length nobody knows, which may be made while they are sent */
  constructor(coding: Coding, flushes: boolean, user: CompressorUser) {
    this.#coding = coding;
    this.#flushes = flushes;
    this.#stream =
      coding === "gzip"
        ? zlib.createGzip({ level: gzipLevel })
        : zlib.createBrotliCompress({ params: { [zlib.constants.BROTLI_PARAM_QUALITY]: brotliQuality } });
    this.#stream.on("data", (piece: Buffer) => {
      if (!user.onCompressed(piece)) this.#stream.pause();
    });
    this.#stream.on("end", () => user.onCompressedEnd());
    this.#stream.on("drain", () => user.onCompressDrain());
    this.#stream.on("error", () => user.onCompressFailed());
  }

  /** False if the next piece should wait for `onCompressDrain`. */
  write(piece: Buffer | string): boolean {
    const takesMore = typeof piece === "string" ? this.#stream.write(piece, "latin1") : this.#stream.write(piece);
    if (this.#flushes) this.#stream.flush(this.#coding === "gzip" ? zlib.constants.Z_SYNC_FLUSH : zlib.constants.BROTLI_OPERATION_FLUSH);
    return takesMore;
  }

  end(): void {
    this.#stream.end();
  }

  /** The client takes more. */
  resume(): void {
    this.#stream.resume();
  }

  destroy(): void {
    this.#stream.removeAllListeners();
    this.#stream.on("error", () => {});
    this.#stream.destroy();
  }
}
