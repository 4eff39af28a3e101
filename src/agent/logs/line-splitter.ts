/** What came of a chunk: whole lines, each ended by a line feed, or the news that the line before it lost its end. */
export type Piece = { readonly lines: number; readonly body: Buffer } | { readonly cutBytes: number };

/** Longest line kept: long enough for a stack trace on one line, short enough that thousands of them are no burden. */
export const longestLineBytes = 16 * 1024;
const lineFeed = 10;

/**
 * Cuts a stream of bytes into lines by looking for line feeds only, so that invalid UTF-8, NUL and half characters pass unharmed. Chunks of
 * whole lines are handed on without a copy. Never keeps more than one line of `longestLineBytes`.
 */
export class LineSplitter {
  #pending: Buffer = Buffer.alloc(0);
  #pendingBytes = 0;
  #cutBytes = 0;

  /** Whether a line has begun that has not ended. */
  get isInLine(): boolean {
    return this.#pendingBytes > 0;
  }

  push(chunk: Buffer): Piece[] {
    const pieces: Piece[] = [];
    let from = this.#pendingBytes > 0 || this.#cutBytes > 0 ? this.#finishLine(chunk, pieces) : 0;
    let lines = 0;
    let at = from;
    for (let end = chunk.indexOf(lineFeed, at); end !== -1; end = chunk.indexOf(lineFeed, at)) {
      if (end - at > longestLineBytes) {
        if (lines > 0) pieces.push({ lines, body: chunk.subarray(from, at) });
        this.#begin(chunk.subarray(at, end), pieces);
        this.#end(pieces);
        lines = 0;
        from = end + 1;
      } else lines++;
      at = end + 1;
    }
    if (lines > 0) pieces.push({ lines, body: chunk.subarray(from, at) });
    if (at < chunk.length) this.#begin(chunk.subarray(at), pieces);
    return pieces;
  }

  /** The line that has begun, as if it had ended here: after a silence, so that a prompt is seen, or at the end of the stream. */
  flush(): Piece[] {
    const pieces: Piece[] = [];
    if (this.#pendingBytes > 0 || this.#cutBytes > 0) this.#end(pieces);
    return pieces;
  }

  /** Takes the chunk up to its first line feed and returns the offset after it. */
  #finishLine(chunk: Buffer, pieces: Piece[]): number {
    const end = chunk.indexOf(lineFeed);
    this.#begin(end === -1 ? chunk : chunk.subarray(0, end), pieces);
    if (end === -1) return chunk.length;
    this.#end(pieces);
    return end + 1;
  }

  #begin(bytes: Buffer, pieces: Piece[]): void {
    if (this.#cutBytes > 0) {
      this.#cutBytes += bytes.length;
      return;
    }
    const kept = Math.min(bytes.length, longestLineBytes - this.#pendingBytes);
    this.#keep(bytes.subarray(0, kept));
    if (kept === bytes.length) return;
    // The head is handed on at once: a line without an end must not wait for one.
    pieces.push(this.#takeLine());
    this.#cutBytes = bytes.length - kept;
  }

  #end(pieces: Piece[]): void {
    if (this.#cutBytes > 0) pieces.push({ cutBytes: this.#cutBytes });
    else pieces.push(this.#takeLine());
    this.#cutBytes = 0;
  }

  /** One spare byte is for the line feed. Doubling keeps an app that writes byte by byte cheap. */
  #keep(bytes: Buffer): void {
    const needed = this.#pendingBytes + bytes.length + 1;
    if (needed > this.#pending.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(256, needed, Math.min(2 * this.#pending.length, longestLineBytes + 1)));
      this.#pending.copy(larger, 0, 0, this.#pendingBytes);
      this.#pending = larger;
    }
    bytes.copy(this.#pending, this.#pendingBytes);
    this.#pendingBytes += bytes.length;
  }

  #takeLine(): Piece {
    if (this.#pending.length === 0) this.#pending = Buffer.allocUnsafeSlow(1);
    this.#pending[this.#pendingBytes] = lineFeed;
    const body = this.#pending.subarray(0, this.#pendingBytes + 1);
    this.#pending = Buffer.alloc(0);
    this.#pendingBytes = 0;
    return { lines: 1, body };
  }
}
