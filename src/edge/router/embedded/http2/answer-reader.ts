import { ChunkedReader } from "../http/chunked.ts";

/** An answer's head as HTTP/2 has it. */
export interface AnswerHead {
  readonly status: number;
  /** Names in lower case; the same name more than once as a list. */
  readonly headers: Record<string, string | string[]>;
  readonly hasBody: boolean;
  /** Whether trailers may come after the body. */
  readonly mayHaveTrailers: boolean;
}

export interface AnswerSink {
  onHead(head: AnswerHead): void;
  onBody(bytes: Buffer): void;
  onEnd(trailers: Readonly<Record<string, string | string[]>>): void;
}

/** Only for the connection of HTTP/1 that there is none of. */
const ofConnections = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);

/** Takes apart what a client connection of this router writes: answers of HTTP/1.1 that were checked and framed just before. */
export class AnswerReader {
  readonly #sink: AnswerSink;
  readonly #isHead: boolean;
  #head = "";
  #chunks: ChunkedReader | null = null;
  /** Body bytes still to come; -1 before the final head. */
  #left = -1;

  constructor(sink: AnswerSink, method: string) {
    this.#sink = sink;
    this.#isHead = method === "HEAD";
  }

  get isDone(): boolean {
    return this.#left === 0 && this.#chunks === null;
  }

  take(bytes: Buffer): void {
    if (this.#left !== -1 || this.#chunks !== null) {
      this.#takeBody(bytes, 0);
      return;
    }
    const before = this.#head.length;
    this.#head += bytes.toString("latin1");
    for (let from = 0; ; ) {
      const end = this.#head.indexOf("\r\n\r\n", from);
      if (end === -1) {
        this.#head = this.#head.slice(from);
        return;
      }
      const isFinal = this.#takeHead(this.#head.slice(from, end));
      from = end + 4;
      if (!isFinal) continue;
      const used = from - before;
      this.#head = "";
      if (this.isDone) this.#sink.onEnd({});
      else if (used < bytes.length) this.#takeBody(bytes, used);
      return;
    }
  }

  /** @returns whether it is the final one. */
  #takeHead(text: string): boolean {
    const [statusLine = "", ...lines] = text.split("\r\n");
    const status = Number(statusLine.slice(9, 12));
    const headers = fieldsOf(lines);
    const isChunked = lines.some((line) => line.startsWith("transfer-encoding:"));
    const length = Number(headers["content-length"] ?? 0);
    const hasBody = status >= 200 && !this.#isHead && status !== 204 && status !== 304 && (isChunked || length > 0);
    if (status >= 200) {
      this.#chunks = hasBody && isChunked ? new ChunkedReader(true) : null;
      this.#left = hasBody && !isChunked ? length : 0;
    }
    this.#sink.onHead({ status, headers, hasBody, mayHaveTrailers: hasBody && isChunked });
    return status >= 200;
  }

  #takeBody(bytes: Buffer, from: number): void {
    if (this.#chunks === null) {
      if (this.#left <= 0) return;
      const piece = bytes.subarray(from, from + this.#left);
      this.#left -= piece.length;
      this.#sink.onBody(piece);
    } else {
      const pieces: Buffer[] = [];
      this.#chunks.read(bytes, from, pieces);
      for (const piece of pieces) this.#sink.onBody(piece);
      if (!this.#chunks.isDone) return;
      const trailers = fieldsOf(this.#chunks.trailers.split("\r\n").slice(0, -1));
      this.#chunks = null;
      this.#left = 0;
      this.#sink.onEnd(trailers);
      return;
    }
    if (this.isDone) this.#sink.onEnd({});
  }
}

function fieldsOf(lines: readonly string[]): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    if (ofConnections.has(name)) continue;
    const value = line.slice(colon + 1).trim();
    const known = fields[name];
    fields[name] = known === undefined ? value : [known, value].flat();
  }
  return fields;
}
