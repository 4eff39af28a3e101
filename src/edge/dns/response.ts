import { ednsUdpBytes, flags, headerBytes, longestMessage, options, types } from "./codes.ts";
import { skipName } from "./names.ts";
import type { Query } from "./query.ts";
import { type RecordData, type ServiceRecord, targetAt } from "./records.ts";
import { zoneLabel } from "./zone.ts";

export interface Response {
  readonly rcode: number;
  readonly isAuthoritative: boolean;
  readonly ttlS: number;
  /** Records of the name that was asked for, in the order in which they are sent. */
  readonly records: readonly (RecordData | ServiceRecord)[];
  /** Of the platform's zone, for an answer without records (RFC 2308). The name that was asked for lies in the zone. */
  readonly authority: RecordData | null;
  readonly options: ResponseOptions;
}

/** For a client that speaks EDNS. */
export interface ResponseOptions {
  /** The client's cookie and the server's. */
  readonly cookie?: Buffer;
  readonly extendedError?: number;
}

/** A pointer to the name in the question. */
const questionPointer = 0xc000 | headerBytes;

/** Writes answers to bytes. One scratch buffer serves them all, so a packet that is too long for its client costs nothing but its own writing. */
export class ResponseWriter {
  readonly #bytes = Buffer.allocUnsafe(longestMessage);
  #at = 0;
  #limit = 0;

  /**
   * The answer in at most `limitBytes`. One that does not fit says so and has no records: half of a set would be taken for the whole
   * (RFC 2181, 9). Addresses that merely go with the answer are left out first, without a word.
   */
  write(query: Query, response: Response, limitBytes: number): Buffer {
    const opt = query.edns === null ? null : optRecord(query, response.rcode, response.options);
    this.#limit = Math.min(limitBytes, longestMessage) - (opt?.length ?? 0);
    this.#at = headerBytes;
    if (query.question !== null) this.#put(query.question.bytes);
    const questionEnd = this.#at;
    const answers = this.#answers(response);
    const authorities = answers === null || response.authority === null ? 0 : this.#authority(query, response.authority, response.ttlS);
    const isWhole = answers !== null && authorities !== null;
    if (!isWhole) this.#at = questionEnd;
    const extra = isWhole ? this.#glue(response, answers) : 0;
    if (opt !== null) this.#at += opt.copy(this.#bytes, this.#at);
    this.#header(query, response, isWhole, [answers?.length ?? 0, authorities ?? 0, extra], opt !== null);
    return Buffer.from(this.#bytes.subarray(0, this.#at));
  }

  #header(query: Query, { rcode, isAuthoritative }: Response, isWhole: boolean, counts: readonly number[], hasOpt: boolean): void {
    const [answers = 0, authorities = 0, extra = 0] = isWhole ? counts : [];
    this.#bytes.writeUInt16BE(query.id, 0);
    this.#bytes.writeUInt16BE(
      flags.response |
        (query.flags & (flags.opcode | flags.recursionDesired | flags.checkingDisabled)) |
        (isAuthoritative ? flags.authoritative : 0) |
        (isWhole ? 0 : flags.truncated) |
        flags.recursionAvailable |
        (rcode & flags.rcode),
      2,
    );
    this.#bytes.writeUInt16BE(query.question === null ? 0 : 1, 4);
    this.#bytes.writeUInt16BE(answers, 6);
    this.#bytes.writeUInt16BE(authorities, 8);
    this.#bytes.writeUInt16BE(extra + (hasOpt ? 1 : 0), 10);
  }

  /** Where each record's content starts, or null if they do not all fit. */
  #answers({ records, ttlS }: Response): readonly number[] | null {
    const starts: number[] = [];
    for (const record of records) {
      if (!this.#record(questionPointer, record, ttlS)) return null;
      starts.push(this.#at - record.data.length);
    }
    return starts;
  }

  #authority(query: Query, authority: RecordData, ttlS: number): number | null {
    // The zone's name is the end of the question's: a length, its letters and the root's zero, then type and class.
    const zoneAt = headerBytes + (query.question?.bytes.length ?? 0) - 4 - (zoneLabel.length + 2);
    return this.#record(0xc000 | zoneAt, authority, ttlS) ? 1 : null;
  }

  #glue({ records, ttlS }: Response, starts: readonly number[]): number {
    let count = 0;
    for (const [i, record] of records.entries()) {
      const at = (starts[i] ?? 0) + targetAt;
      // A pointer has fourteen bits.
      if (!("glue" in record) || at > 0x3fff) continue;
      for (const address of record.glue) if (this.#record(0xc000 | at, address, ttlS)) count++;
    }
    return count;
  }

  #record(owner: number, { type, data }: RecordData, ttlS: number): boolean {
    const start = this.#at;
    if (start + 12 + data.length > this.#limit) return false;
    this.#bytes.writeUInt16BE(owner, start);
    this.#bytes.writeUInt16BE(type, start + 2);
    this.#bytes.writeUInt16BE(1, start + 4);
    this.#bytes.writeUInt32BE(ttlS, start + 6);
    this.#bytes.writeUInt16BE(data.length, start + 10);
    this.#at = start + 12;
    this.#put(data);
    return true;
  }

  #put(bytes: Buffer): void {
    this.#at += bytes.copy(this.#bytes, this.#at);
  }
}

/** The same answer as "come by TCP": its header and question, without anything else. */
export function truncate(answer: Buffer): Buffer {
  const name = answer.readUInt16BE(4) === 0 ? null : skipName(answer, headerBytes);
  const packet = Buffer.from(answer.subarray(0, name === null ? headerBytes : name + 4));
  packet.writeUInt16BE(packet.readUInt16BE(2) | flags.truncated, 2);
  packet.fill(0, 6, headerBytes);
  return packet;
}

/** The OPT record of an answer (RFC 6891, 6.1). */
export function optRecord({ edns }: Query, rcode: number, { cookie, extendedError }: ResponseOptions): Buffer {
  const parts: Buffer[] = [];
  if (cookie !== undefined) parts.push(uint16(options.cookie), uint16(cookie.length), cookie);
  if (extendedError !== undefined) parts.push(uint16(options.extendedError), uint16(2), uint16(extendedError));
  const data = Buffer.concat(parts);
  const head = Buffer.alloc(11);
  head.writeUInt16BE(types.opt, 1);
  head.writeUInt16BE(ednsUdpBytes, 3);
  head[5] = rcode >> 4;
  if (edns?.isDnssecOk === true) head[7] = 0x80;
  head.writeUInt16BE(data.length, 9);
  return Buffer.concat([head, data]);
}

function uint16(value: number): Buffer {
  return Buffer.of(value >> 8, value & 0xff);
}
