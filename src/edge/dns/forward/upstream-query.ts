import { ednsUdpBytes, flags, headerBytes, types } from "../codes.ts";
import type { Question } from "../query.ts";

export interface UpstreamQuery {
  readonly packet: Buffer;
  readonly questionEnd: number;
  /** The question with the spelling that we chose for it. */
  readonly question: Buffer;
}

/**
 * Our own query for a client's question: its id and the case of its letters are chance, which a forger has to guess with the port.
 * Nothing of the client goes along but whether it wants signatures, and wants them unchecked.
 * @param chance random bytes, as many as the question has and two for the id.
 */
export function upstreamQuery(
  question: Question,
  wants: { readonly isDnssecOk: boolean; readonly isCheckingDisabled: boolean },
  chance: Buffer,
): UpstreamQuery {
  const spelled = Buffer.from(question.bytes);
  // Type and class follow the name: they must stay as they are.
  for (let at = 0; at < spelled.length - 4; at++) {
    const letter = (spelled[at] ?? 0) | 0x20;
    // Lengths of labels are below the letters.
    if (letter >= 0x61 && letter <= 0x7a && (spelled[at] ?? 0) > 0x40)
      spelled[at] = ((chance[at] ?? 0) & 1) === 0 ? letter : letter & ~0x20;
  }
  const head = Buffer.alloc(headerBytes);
  chance.copy(head, 0, spelled.length, spelled.length + 2);
  head.writeUInt16BE(flags.recursionDesired | flags.authenticData | (wants.isCheckingDisabled ? flags.checkingDisabled : 0), 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(1, 10);
  const opt = Buffer.alloc(11);
  opt.writeUInt16BE(types.opt, 1);
  opt.writeUInt16BE(ednsUdpBytes, 3);
  if (wants.isDnssecOk) opt[7] = 0x80;
  return { packet: Buffer.concat([head, spelled, opt]), questionEnd: headerBytes + spelled.length, question: spelled };
}

/** Letters in a name before its spelling says whose it is: with as many, two agree by chance once in four thousand times. */
const tellingLetters = 12;

/** Whether a question has the very spelling that we gave it: then it is our own query that came back. */
export function isOwnSpelling(question: Buffer, ours: Buffer): boolean {
  const letters = question.subarray(0, -4).filter((byte) => (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a && byte > 0x40).length;
  // All small is how everybody writes.
  return letters >= tellingLetters && question.equals(ours) && question.subarray(0, -4).some((byte) => byte >= 0x41 && byte <= 0x5a);
}
