import type { Clock } from "#model/clock.ts";

/** Types and flags of RFC 9113, section 6. */
const frame = { data: 0, headers: 1, priority: 2, reset: 3, settings: 4, ping: 6, continuation: 9 } as const;
const flag = { ack: 1, endStream: 1, padded: 8, priority: 32 } as const;
const prefaceBytes = 24;
const headerBytes = 9;
/** Of a payload, to see which stream it depends on: padding's length and a stream's number. */
const lookedAtBytes = 5;

/** Codes of RFC 9113, section 7. */
export const violation = { protocol: 1, streamClosed: 5, calm: 11 } as const;
export type Violation = (typeof violation)[keyof typeof violation];

/**
 * Frames that cost a client nothing and us something: pings, settings, priorities, empty data, continuations (CVE-2019-9512 to -9518,
 * CVE-2024-27316). Real clients send a handful at the start and one now and then.
 */
const cheapFrames = { burst: 200, perSecond: 50 } as const;
/** Streams that the client has not ended, whatever became of them here; only one that never ends any comes so far. */
const mostUnended = 10_000;

/**
 * Looks at the frames of a client before nghttp2 does, for what nghttp2 lets pass: frames on streams that the client has ended, numbers that go
 * down, a stream that depends on itself, floods. Nothing is decoded; bytes pass through as they come.
 */
export class FrameGuard {
  readonly #clock: Clock;
  readonly #unended = new Set<number>();
  #highest = 0;
  #prefaceLeft = prefaceBytes;
  #payloadLeft = 0;
  /** The beginning of a frame that is not all there. */
  #held: Buffer | null = null;
  #credit: number = cheapFrames.burst;
  #creditAtMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#creditAtMs = clock.monotonicMs();
  }

  /** What of the bytes may go on, or why the connection must end. */
  take(bytes: Buffer): readonly Buffer[] | Violation {
    const input = this.#held === null ? bytes : Buffer.concat([this.#held, bytes]);
    this.#held = null;
    const passed: Buffer[] = [];
    let from = 0;
    let at = Math.min(this.#prefaceLeft, input.length);
    this.#prefaceLeft -= at;
    while (at < input.length) {
      if (this.#payloadLeft > 0) {
        const part = Math.min(this.#payloadLeft, input.length - at);
        this.#payloadLeft -= part;
        at += part;
        continue;
      }
      const length = input.length - at < headerBytes ? 0 : input.readUIntBE(at, 3);
      if (input.length - at < headerBytes + Math.min(length, lookedAtBytes)) {
        // A copy, because what it is cut from may be used again.
        this.#held = Buffer.from(input.subarray(at));
        break;
      }
      const verdict = this.#judge(input, at, length);
      if (verdict !== null && verdict !== "drop") return verdict;
      if (verdict === "drop" && input.length - at < headerBytes + length) {
        this.#held = Buffer.from(input.subarray(at));
        break;
      }
      if (verdict === "drop") {
        if (at > from) passed.push(input.subarray(from, at));
        at += headerBytes + length;
        from = at;
      } else {
        at += headerBytes;
        this.#payloadLeft = length;
      }
    }
    const end = this.#held === null ? input.length : input.length - this.#held.length;
    if (end > from) passed.push(input.subarray(from, end));
    return passed;
  }

  #judge(input: Buffer, at: number, length: number): Violation | "drop" | null {
    const type = input[at + 3] ?? 0;
    const flags = input[at + 4] ?? 0;
    const stream = input.readUInt32BE(at + 5) & 0x7fff_ffff;
    switch (type) {
      case frame.headers:
        if (dependsOnItself(input, at, length, flags, stream)) return violation.protocol;
        return this.#open(stream) ?? this.#ended(stream, (flags & flag.endStream) !== 0);
      case frame.data:
        if (stream <= this.#highest && !this.#unended.has(stream)) return violation.streamClosed;
        if (length === 0 && (flags & flag.endStream) === 0) return this.#spend();
        return this.#ended(stream, (flags & flag.endStream) !== 0);
      case frame.reset:
        return this.#ended(stream, true);
      case frame.priority:
        if (stream === 0 || (length === 5 && (input.readUInt32BE(at + headerBytes) & 0x7fff_ffff) === stream)) return violation.protocol;
        return this.#spend();
      case frame.ping:
        // None is sent from here, so there is nothing to acknowledge; nghttp2 would end the connection over it.
        return this.#spend() ?? ((flags & flag.ack) !== 0 && stream === 0 && length === 8 ? "drop" : null);
      case frame.settings:
      case frame.continuation:
        return this.#spend();
      default:
        return null;
    }
  }

  #open(stream: number): Violation | null {
    if (stream > this.#highest) {
      this.#highest = stream;
      if (this.#unended.size >= mostUnended) return violation.calm;
      this.#unended.add(stream);
      return null;
    }
    // Trailers; anything else is on a stream that was ended, or never used and passed over.
    return this.#unended.has(stream) ? null : violation.streamClosed;
  }

  #ended(stream: number, isEnd: boolean): null {
    if (isEnd) this.#unended.delete(stream);
    return null;
  }

  #spend(): Violation | null {
    const nowMs = this.#clock.monotonicMs();
    this.#credit = Math.min(cheapFrames.burst, this.#credit + ((nowMs - this.#creditAtMs) / 1_000) * cheapFrames.perSecond);
    this.#creditAtMs = nowMs;
    this.#credit--;
    return this.#credit < 0 ? violation.calm : null;
  }
}

function dependsOnItself(input: Buffer, at: number, length: number, flags: number, stream: number): boolean {
  if ((flags & flag.priority) === 0) return false;
  const place = at + headerBytes + ((flags & flag.padded) === 0 ? 0 : 1);
  return length >= lookedAtBytes && place + 4 <= input.length && (input.readUInt32BE(place) & 0x7fff_ffff) === stream;
}
