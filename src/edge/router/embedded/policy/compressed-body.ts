import { frameChunk, lastChunkWith } from "../http/chunked.ts";
import { type Coding, Compressor } from "./compression.ts";

export interface CompressedUser {
  /** Sends to the client; false if no more may come until `resume`. */
  writeCompressed(chunk: Buffer | string): boolean;
  /** The last chunk was sent. */
  onCompressedEnd(): void;
  /** The compressor takes more. */
  onCompressDrain(): void;
  onCompressFailed(): void;
}

/** The body of an answer as it comes out of a compressor: in chunks, because nobody knows its length before its end. */
export class CompressedBody {
  readonly #compressor: Compressor;
  #trailers = "";

  /** @param flushes whether each piece leaves at once */
  constructor(coding: Coding, flushes: boolean, oneWriteBytes: number, user: CompressedUser) {
    this.#compressor = new Compressor(coding, flushes, {
      onCompressed: (piece) => user.writeCompressed(frameChunk([piece], false, oneWriteBytes) ?? ""),
      onCompressedEnd: () => {
        user.writeCompressed(lastChunkWith(this.#trailers));
        user.onCompressedEnd();
      },
      onCompressDrain: () => user.onCompressDrain(),
      onCompressFailed: () => user.onCompressFailed(),
    });
  }

  /** False if the next piece should wait for `onCompressDrain`. */
  write(piece: Buffer | string): boolean {
    return this.#compressor.write(piece);
  }

  /** The client takes more. */
  resume(): void {
    this.#compressor.resume();
  }

  /** @param trailers each with its CRLF */
  end(trailers: string): void {
    this.#trailers = trailers;
    this.#compressor.end();
  }

  destroy(): void {
    this.#compressor.destroy();
  }
}
