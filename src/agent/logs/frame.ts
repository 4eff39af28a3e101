import { crc32 } from "node:zlib";
import type { NoticeLevel } from "#model/log-level.ts";
import type { InstanceId } from "#model/names.ts";
import type { LogLine } from "#model/workload.ts";

/** Lines of one instance that were read at one moment: what is stamped once, stored as one record and handed to followers as it is. */
export interface LogFrame {
  readonly instance: InstanceId;
  readonly atMs: number;
  /** Of the first line; the others follow by one. */
  readonly sequence: number;
  readonly lines: number;
  /** Of a line of Drover's own; null: the app printed these. */
  readonly notice: NoticeLevel | null;
  /** The lines as the app wrote them, each ended by a line feed. */
  readonly body: Buffer;
}

/** Bytes before the name: length of the rest, CRC-32 of the rest, time, sequence, number of lines, who says it, length of the name. */
const headBytes = 4 + 4 + 8 + 8 + 4 + 1 + 1;
/** Who says it. To versions without levels of notices all but 0 is Drover, and 1 was all that they wrote. */
const [app, warning, information] = [0, 1, 2];
/** Length and CRC-32 stand before what they cover. */
const guardBytes = 8;
/** No frame is longer: a chunk as read from a pipe, with the line that began before it. Anything longer in a file is damage. */
export const longestFrameBytes = 2 ** 20;

/** The two parts of a frame as it is stored: head and body, so that the body need not be copied. */
export function encodeFrame(frame: LogFrame): readonly [Buffer, Buffer] {
  const nameBytes = Buffer.byteLength(frame.instance);
  const head = Buffer.allocUnsafe(headBytes + nameBytes);
  head.writeUInt32LE(head.length - guardBytes + frame.body.length, 0);
  head.writeDoubleLE(frame.atMs, 8);
  head.writeDoubleLE(frame.sequence, 16);
  head.writeUInt32LE(frame.lines, 24);
  head.writeUInt8(frame.notice === null ? app : frame.notice === "info" ? information : warning, 28);
  head.writeUInt8(nameBytes, 29);
  head.write(frame.instance, headBytes);
  head.writeUInt32LE(crc32(frame.body, crc32(head.subarray(guardBytes))), 4);
  return [head, frame.body];
}

/** The frame at `offset` and the offset after it; null where none is whole and undamaged. */
export function decodeFrame(bytes: Buffer, offset: number): { readonly frame: LogFrame; readonly next: number } | null {
  if (offset + headBytes > bytes.length) return null;
  const length = bytes.readUInt32LE(offset);
  const next = offset + guardBytes + length;
  const nameEnd = offset + headBytes + bytes.readUInt8(offset + 29);
  if (length > longestFrameBytes || next > bytes.length || nameEnd > next) return null;
  if (crc32(bytes.subarray(offset + guardBytes, next)) !== bytes.readUInt32LE(offset + 4)) return null;
  const frame: LogFrame = {
    instance: bytes.toString("utf8", offset + headBytes, nameEnd) as InstanceId,
    atMs: bytes.readDoubleLE(offset + 8),
    sequence: bytes.readDoubleLE(offset + 16),
    lines: bytes.readUInt32LE(offset + 24),
    notice: noticeOf(bytes.readUInt8(offset + 28)),
    body: bytes.subarray(nameEnd, next),
  };
  return { frame, next };
}

function noticeOf(byte: number): NoticeLevel | null {
  if (byte === app) return null;
  return byte === information ? "info" : "warn";
}

export function sourceOf(notice: NoticeLevel | null): LogLine["source"] {
  return notice === null ? "app" : "drover";
}

/** What a frame takes where it is stored. */
export function frameBytes({ instance, body }: LogFrame): number {
  return headBytes + Buffer.byteLength(instance) + body.length;
}

/** The checksum of the frame that is stored at `offset`. */
export function storedCrc(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset + 4);
}

/** Where the frame after a damaged one begins if the damage spared its length. */
export function offsetAfterDamage(bytes: Buffer, offset: number): number {
  return offset + headBytes > bytes.length ? bytes.length : offset + guardBytes + bytes.readUInt32LE(offset);
}

/** Each line of a frame, oldest first; invalid UTF-8 becomes U+FFFD only here, what is stored stays as it was. */
export function* linesOf(frame: LogFrame): Generator<LogLine, void, void> {
  const source = sourceOf(frame.notice);
  let from = 0;
  for (let index = 0; index < frame.lines; index++) {
    const end = frame.body.indexOf(10, from);
    const text = frame.body.toString("utf8", from, end === -1 ? frame.body.length : end);
    yield { instance: frame.instance, atMs: frame.atMs, sequence: frame.sequence + index, text, source };
    from = end + 1;
  }
}
