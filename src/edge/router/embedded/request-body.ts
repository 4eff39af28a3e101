import type { Writable } from "node:stream";
import { ChunkedReader, frameChunk } from "./http/chunked.ts";
import { type Refusal, refusal } from "./http/refusal.ts";
import type { RequestHead } from "./http/request-head.ts";
import type { Limits } from "./limits.ts";

const badChunks = refusal(400, "the chunked body is not valid");
const tooLarge = refusal(413, "the request's body is too large for this route");

/** The body of a request on its way to an instance: where it ends, and what of it waits until there is one. */
export class RequestBody {
  isDone = false;
  /** What the last `read` found, framed for the instance; null for nothing. */
  piece: Buffer | string | null = null;
  refusal: Refusal | null = null;
  /** Framed pieces that came before there was an instance to send them to. */
  early: (Buffer | string)[] = [];

  readonly #limits: Limits;
  readonly #chunks: ChunkedReader | null;
  #left: number;
  /** Of a chunked body, without its framing. */
  #bytes = 0;

  constructor({ contentLength, isChunked }: RequestHead, limits: Limits) {
    this.#limits = limits;
    this.#left = Math.max(0, contentLength);
    this.#chunks = isChunked ? new ChunkedReader() : null;
  }

  /** Takes what belongs to the body from `from` onwards and returns where that ends. */
  read(bytes: Buffer, from: number): number {
    if (this.#chunks !== null) return this.#readChunks(this.#chunks, bytes, from);
    const end = Math.min(bytes.length, from + this.#left);
    this.#left -= end - from;
    this.isDone = this.#left === 0;
    this.piece = from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end);
    return end;
  }

  #readChunks(chunks: ChunkedReader, bytes: Buffer, from: number): number {
    const pieces: Buffer[] = [];
    const end = chunks.read(bytes, from, pieces);
    for (const piece of pieces) this.#bytes += piece.length;
    if (chunks.hasFailed) this.refusal = badChunks;
    else if (this.#bytes > this.#limits.bodyBytes) this.refusal = tooLarge;
    this.isDone = chunks.isDone;
    this.piece = frameChunk(pieces, this.isDone, this.#limits.oneWriteBytes);
    return end;
  }

  /** Sends what has come so far after the request's head, in one write if it is short. */
  follow(head: string, socket: Writable): void {
    const [first] = this.early;
    if (first === undefined) socket.write(head, "latin1");
    else if (this.early.length === 1 && first.length <= this.#limits.oneWriteBytes)
      socket.write(head + (typeof first === "string" ? first : first.toString("latin1")), "latin1");
    else {
      socket.cork();
      socket.write(head, "latin1");
      for (const piece of this.early) socket.write(piece, "latin1");
      socket.uncork();
    }
    this.early = [];
  }
}

/** Why a body is waited for no longer, `tookMs` after its request's head. */
export function lateBody({ requestMs, bodyRate, bodyIdleMs }: Limits, tookMs: number): string {
  if (tookMs >= requestMs) return "the request's body did not arrive in time";
  const rate = bodyRate === 0 ? "nothing" : `less than ${bodyRate} bytes a second`;
  return `the request's body came too slowly: ${rate} for ${bodyIdleMs / 1_000} s`;
}
