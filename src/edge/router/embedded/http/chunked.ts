import { fieldValue, token } from "./characters.ts";
import { isPassedTrailer, isRefusedTrailer } from "./trailers.ts";

/** Longest chunk extension that is read (and dropped). */
const longestExtension = 256;
/** Longest trailer section that is read (and dropped). */
const longestTrailers = 8_192;
/** Eight hex digits are 4 GiB: more than one chunk ever has, far from where numbers round. */
const longestSize = 8;

const step = {
  size: 0,
  extensionStart: 1,
  extension: 2,
  valueStart: 3,
  value: 4,
  sizeEnd: 5,
  body: 6,
  bodyCr: 7,
  bodyLf: 8,
  lineStart: 9,
  trailerName: 10,
  trailer: 11,
  trailerLf: 12,
  lastLf: 13,
  done: 14,
  failed: 15,
} as const;
type Step = (typeof step)[keyof typeof step];

/**
 * Takes chunked framing off a body, strictly: RFC 9112, section 7.1, without its tolerance for bare LF, blanks
 * and quoted extensions. Extensions are dropped, and trailers too unless they are asked for; one that would change what the message is fails the whole.
 */
export class ChunkedReader {
  #step: Step = step.size;
  #digits = 0;
  #size = 0;
  #extra = 0;
  /** The name of the trailer that is being read, then all of its line. */
  #line = "";
  /** The trailers that may be passed on, each with its CRLF; empty unless they are asked for. */
  trailers = "";
  readonly #keepsTrailers: boolean;

  constructor(keepsTrailers = false) {
    this.#keepsTrailers = keepsTrailers;
  }

  get isDone(): boolean {
    return this.#step === step.done;
  }

  get hasFailed(): boolean {
    return this.#step === step.failed;
  }

  /**
   * Reads `bytes` from `from`, pushes the pieces of the body onto `out` (views, not copies), and returns where it stopped: at the end, or right
   * after the body's last byte.
   */
  read(bytes: Buffer, from: number, out: Buffer[]): number {
    let at = from;
    while (at < bytes.length && this.#step < step.done) {
      if (this.#step === step.body) {
        const end = Math.min(bytes.length, at + this.#size);
        out.push(bytes.subarray(at, end));
        this.#size -= end - at;
        at = end;
        if (this.#size === 0) this.#step = step.bodyCr;
      } else this.#step = this.#next(bytes[at++] as number);
    }
    return at;
  }

  #next(byte: number): Step {
    switch (this.#step) {
      case step.size: {
        const digit = hexDigit(byte);
        if (digit !== -1) {
          this.#size = this.#size * 16 + digit;
          return ++this.#digits > longestSize ? step.failed : step.size;
        }
        if (this.#digits === 0) return step.failed;
        this.#extra = 0;
        return byte === 13 ? step.sizeEnd : byte === 59 ? step.extensionStart : step.failed;
      }
      case step.extensionStart:
        return token[byte] === 1 ? this.#extension(step.extension) : step.failed;
      case step.extension:
        if (byte === 61) return this.#extension(step.valueStart);
        return token[byte] === 1 ? this.#extension(step.extension) : this.#extensionEnd(byte);
      case step.valueStart:
        return token[byte] === 1 ? this.#extension(step.value) : step.failed;
      case step.value:
        return token[byte] === 1 ? this.#extension(step.value) : this.#extensionEnd(byte);
      case step.sizeEnd:
        if (byte !== 10) return step.failed;
        this.#digits = 0;
        this.#extra = 0;
        return this.#size === 0 ? step.lineStart : step.body;
      case step.bodyCr:
        return byte === 13 ? step.bodyLf : step.failed;
      case step.bodyLf:
        return byte === 10 ? step.size : step.failed;
      case step.lineStart:
        if (byte === 13) return step.lastLf;
        this.#line = "";
        return this.#trailerName(byte);
      case step.trailerName:
        return byte === 58 ? this.#trailerNameEnd() : this.#trailerName(byte);
      case step.trailer:
        if (byte === 13) return step.trailerLf;
        if (this.#line !== "") this.#line += String.fromCharCode(byte);
        return fieldValue[byte] === 1 ? this.#trailer(step.trailer) : step.failed;
      case step.trailerLf:
        if (this.#line !== "") this.trailers += `${this.#line}\r\n`;
        return byte === 10 ? step.lineStart : step.failed;
      case step.lastLf:
        return byte === 10 ? step.done : step.failed;
      default:
        return step.failed;
    }
  }

  #extension(next: Step): Step {
    return ++this.#extra <= longestExtension ? next : step.failed;
  }

  #extensionEnd(byte: number): Step {
    return byte === 13 ? step.sizeEnd : byte === 59 ? this.#extension(step.extensionStart) : step.failed;
  }

  #trailerName(byte: number): Step {
    if (token[byte] !== 1) return step.failed;
    this.#line += String.fromCharCode(byte);
    return this.#trailer(step.trailerName);
  }

  #trailerNameEnd(): Step {
    if (isRefusedTrailer(this.#line)) return step.failed;
    this.#line = this.#keepsTrailers && isPassedTrailer(this.#line) ? `${this.#line}:` : "";
    return this.#trailer(step.trailer);
  }

  #trailer(next: Step): Step {
    return ++this.#extra <= longestTrailers ? next : step.failed;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/** What ends a chunked body without trailers. */
export const lastChunk = "0\r\n\r\n";
/** What ends one with these, each with its CRLF. */
export const lastChunkWith = (trailers: string) => (trailers === "" ? lastChunk : `0\r\n${trailers}\r\n`);

/**
 * The pieces as one chunk, and the last chunk if that was all; null if there is nothing to send. Up to `oneWriteBytes` it is latin1 text, which
 * leaves in one write with whatever comes before it.
 */
export function frameChunk(pieces: readonly Buffer[], isLast: boolean, oneWriteBytes: number, trailers = ""): Buffer | string | null {
  const [first] = pieces;
  if (first === undefined) return isLast ? lastChunkWith(trailers) : null;
  let size = 0;
  for (const piece of pieces) size += piece.length;
  const head = `${size.toString(16)}\r\n`;
  const tail = isLast ? `\r\n${lastChunkWith(trailers)}` : "\r\n";
  if (size <= oneWriteBytes) {
    let text = head;
    for (const piece of pieces) text += piece.toString("latin1");
    return text + tail;
  }
  return Buffer.concat([Buffer.from(head, "latin1"), ...pieces, Buffer.from(tail, "latin1")]);
}
