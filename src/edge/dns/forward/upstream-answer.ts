import { flags, headerBytes, rcodes, types } from "../codes.ts";
import { skipName } from "../names.ts";
import type { Query } from "../query.ts";
import { optRecord, type ResponseOptions } from "../response.ts";

/** What a resolver said, ready to be said again: its bytes without the OPT record, and where the times to live stand. */
export interface UpstreamAnswer {
  readonly rcode: number;
  readonly bytes: Buffer;
  readonly questionEnd: number;
  readonly isAuthenticData: boolean;
  readonly ttlAts: readonly number[];
  /** How long it may be kept; 0: not at all. */
  readonly lifetimeS: number;
}

/** A day: whoever says more gets asked again all the same. */
const longestLifetimeS = 86_400;
/** "There is no such name" (RFC 2308, 5): three hours at most. */
const longestNegativeS = 10_800;
/** A failure is remembered for a moment, so that what cannot be had is not asked for without end (RFC 9520, 3.2). */
const failureLifetimeS = 1;

interface Section {
  readonly end: number;
  readonly ttlAts: readonly number[];
  /** The smallest time to live of any record. */
  readonly ttlS: number;
  /** By the SOA record, where there is one (RFC 2308, 5). */
  readonly negativeTtlS: number | null;
  /** Bits above the four of the header; of the OPT record, which ends the section for us. */
  readonly highRcode: number;
  readonly count: number;
  readonly types: ReadonlySet<number>;
}

/** Reads an answer whose header and question were found right. Null if its records do not add up. */
export function readUpstreamAnswer(packet: Buffer, questionEnd: number): UpstreamAnswer | null {
  const answers = readSection(packet, questionEnd, packet.readUInt16BE(6));
  const authorities = answers && readSection(packet, answers.end, packet.readUInt16BE(8));
  const additional = authorities && readSection(packet, authorities.end, packet.readUInt16BE(10));
  if (answers === null || authorities === null || additional === null || additional.highRcode !== 0) return null;
  const head = packet.readUInt16BE(2);
  const rcode = head & flags.rcode;
  const bytes = Buffer.from(packet.subarray(0, additional.end));
  bytes.writeUInt16BE(additional.count, 10);
  const asked = packet.readUInt16BE(questionEnd - 4);
  return {
    rcode,
    bytes,
    questionEnd,
    isAuthenticData: (head & flags.authenticData) !== 0,
    ttlAts: [...answers.ttlAts, ...authorities.ttlAts, ...additional.ttlAts],
    lifetimeS: lifetimeOf(rcode, answers, authorities, asked),
  };
}

function lifetimeOf(rcode: number, answers: Section, authorities: Section, asked: number): number {
  if (rcode !== rcodes.noError && rcode !== rcodes.nxDomain) return failureLifetimeS;
  // An alias whose end is not there is as negative as nothing at all.
  const isPositive = rcode === rcodes.noError && answers.count > 0 && (answers.types.has(asked) || authorities.negativeTtlS === null);
  if (isPositive) return Math.min(answers.ttlS, longestLifetimeS);
  if (authorities.negativeTtlS === null) return 0;
  return Math.min(authorities.negativeTtlS, answers.ttlS, longestNegativeS);
}

function readSection(packet: Buffer, start: number, count: number): Section | null {
  const ttlAts: number[] = [];
  const seen = new Set<number>();
  let ttlS = Number.POSITIVE_INFINITY;
  let negativeTtlS: number | null = null;
  let at = start;
  for (let i = 0; i < count; i++) {
    const fixed = skipName(packet, at);
    if (fixed === null || fixed + 10 > packet.length) return null;
    const end = fixed + 10 + packet.readUInt16BE(fixed + 8);
    if (end > packet.length) return null;
    const type = packet.readUInt16BE(fixed);
    if (type === types.opt) {
      // What follows goes too: it is only ever a signature of the hop before, and its pointers could not be kept right.
      return { end: at, ttlAts, ttlS, negativeTtlS, highRcode: packet[fixed + 4] ?? 0, count: i, types: seen };
    }
    const ownTtlS = ttlOf(packet, fixed + 4);
    if (type === types.soa && end - fixed >= 32) negativeTtlS = Math.min(ownTtlS, ttlOf(packet, end - 4));
    seen.add(type);
    ttlAts.push(fixed + 4);
    ttlS = Math.min(ttlS, ownTtlS);
    at = end;
  }
  return { end: at, ttlAts, ttlS, negativeTtlS, highRcode: 0, count, types: seen };
}

/** Values with the highest bit are zero (RFC 2181, 8). */
function ttlOf(packet: Buffer, at: number): number {
  const value = packet.readUInt32BE(at);
  return value > 0x7fffffff ? 0 : value;
}

/** The answer as it goes to a client, `ageS` after it came. One that is longer than `limitBytes` is cut to its question and says so. */
export function relay(answer: UpstreamAnswer, query: Query, ageS: number, replyOptions: ResponseOptions, limitBytes: number): Buffer {
  const opt = query.edns === null ? null : optRecord(query, answer.rcode, replyOptions);
  const isWhole = answer.bytes.length + (opt?.length ?? 0) <= limitBytes;
  const body = isWhole ? answer.bytes : answer.bytes.subarray(0, answer.questionEnd);
  const packet = opt === null ? Buffer.from(body) : Buffer.concat([body, opt]);
  packet.writeUInt16BE(query.id, 0);
  const wantsAuthenticData = (query.flags & flags.authenticData) !== 0 || query.edns?.isDnssecOk === true;
  packet.writeUInt16BE(
    flags.response |
      flags.recursionAvailable |
      (query.flags & (flags.recursionDesired | flags.checkingDisabled)) |
      (answer.isAuthenticData && wantsAuthenticData ? flags.authenticData : 0) |
      (isWhole ? 0 : flags.truncated) |
      answer.rcode,
    2,
  );
  // The spelling that was asked for, not the one that we asked with.
  query.question?.bytes.copy(packet, headerBytes);
  if (!isWhole) packet.fill(0, 6, 12);
  packet.writeUInt16BE((isWhole ? packet.readUInt16BE(10) : 0) + (opt === null ? 0 : 1), 10);
  if (isWhole && ageS > 0) for (const at of answer.ttlAts) packet.writeUInt32BE(Math.max(0, ttlOf(packet, at) - ageS), at);
  return packet;
}
