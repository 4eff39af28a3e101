import { ChunkedReader, frameChunk } from "./http/chunked.ts";
import type { ResponseHead } from "./http/response-head.ts";

/** How an answer's body ends. */
export type BodyKind = "none" | "length" | "chunked" | "untilClose";

/** Answers that can have no body say a length of 0, whatever their head said. */
export function bodyKind({ isChunked, contentLength }: ResponseHead): BodyKind {
  if (isChunked) return "chunked";
  if (contentLength === -1) return "untilClose";
  return contentLength === 0 ? "none" : "length";
}

/** The body of an answer on its way to the client: where it ends, and how it is framed. */
export class AnswerBody {
  readonly kind: BodyKind;
  isDone = false;
  hasFailed = false;
  /** What the last `read` found. */
  pieces: readonly (Buffer | string)[] = [];

  readonly #frames: boolean;
  readonly #oneWriteBytes: number;
  readonly #chunks: ChunkedReader | null;
  #left: number;

  /**
   * @param frames whether the client gets it in chunks, of bodies whose length is not known
   * @param keepsTrailers whether the client takes trailers
   */
  constructor(kind: BodyKind, contentLength: number, frames: boolean, oneWriteBytes: number, keepsTrailers = false) {
    this.kind = kind;
    this.#frames = frames;
    this.#oneWriteBytes = oneWriteBytes;
    this.#chunks = kind === "chunked" ? new ChunkedReader(keepsTrailers) : null;
    this.#left = kind === "untilClose" ? Number.POSITIVE_INFINITY : contentLength;
  }

  /** Those that are passed on, each with its CRLF; all of them once the body is done. */
  get trailers(): string {
    return this.#chunks?.trailers ?? "";
  }

  /** Takes what belongs to the body from `from` onwards and returns where that ends. */
  read(bytes: Buffer, from: number): number {
    if (this.#chunks !== null) return this.#readChunks(this.#chunks, bytes, from);
    const end = Math.min(bytes.length, from + this.#left);
    this.#left -= end - from;
    this.isDone = this.#left === 0;
    const piece = from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end);
    this.pieces = end === from ? [] : this.#frame([piece]);
    return end;
  }

  #readChunks(chunks: ChunkedReader, bytes: Buffer, from: number): number {
    const pieces: Buffer[] = [];
    const end = chunks.read(bytes, from, pieces);
    this.hasFailed = chunks.hasFailed;
    this.isDone = chunks.isDone;
    this.pieces = this.#frame(pieces);
    return end;
  }

  #frame(pieces: readonly Buffer[]): readonly (Buffer | string)[] {
    if (!this.#frames) return pieces;
    const framed = frameChunk(pieces, this.isDone, this.#oneWriteBytes, this.trailers);
    return framed === null ? [] : [framed];
  }
}
