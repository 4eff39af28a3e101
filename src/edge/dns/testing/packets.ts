import { types } from "../codes.ts";

export interface QueryOptions {
  readonly id?: number;
  readonly flags?: number;
  readonly type?: number;
  readonly class?: number;
  readonly edns?: { readonly udpBytes?: number; readonly version?: number; readonly isDnssecOk?: boolean; readonly data?: Buffer };
}

const recursionDesired = 0x0100;

export function nameBytes(name: string): Buffer {
  const labels = name === "" ? [] : name.split(".");
  return Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), Buffer.from(label, "latin1")]), Buffer.of(0)]);
}

export function uint16(...values: readonly number[]): Buffer {
  return Buffer.concat(values.map((value) => Buffer.of(value >> 8, value & 0xff)));
}

/** A query as a client would send it. */
export function queryFor(name: string, options: QueryOptions = {}): Buffer {
  const { id = 7, flags = recursionDesired, type = types.a, edns } = options;
  const head = uint16(id, flags, 1, 0, 0, edns === undefined ? 0 : 1);
  const question = Buffer.concat([nameBytes(name), uint16(type, options.class ?? 1)]);
  return Buffer.concat([head, question, edns === undefined ? Buffer.alloc(0) : opt(edns)]);
}

export function opt({
  udpBytes = 1_232,
  version = 0,
  isDnssecOk = false,
  data = Buffer.alloc(0),
}: NonNullable<QueryOptions["edns"]> = {}): Buffer {
  return Buffer.concat([Buffer.of(0), uint16(types.opt, udpBytes, version, isDnssecOk ? 0x8000 : 0, data.length), data]);
}

export function cookieOption(cookie: Buffer): Buffer {
  return Buffer.concat([uint16(10, cookie.length), cookie]);
}

export interface ReadRecord {
  readonly name: string;
  readonly type: number;
  readonly ttlS: number;
  readonly data: Buffer;
}

export interface ReadAnswer {
  readonly id: number;
  readonly flags: number;
  readonly rcode: number;
  readonly isTruncated: boolean;
  readonly isAuthoritative: boolean;
  /** As it was spelled; null where there is no question. */
  readonly question: string | null;
  readonly answers: readonly ReadRecord[];
  readonly authorities: readonly ReadRecord[];
  readonly additional: readonly ReadRecord[];
  /** The OPT record's content. */
  readonly edns: Buffer | null;
}

/** Reads a whole answer, names and all. @throws {RangeError} if it is not well-formed to its last byte. */
export function readAnswer(packet: Buffer): ReadAnswer {
  let at = 12;
  const [id = 0, flags = 0, questions = 0, ...counts] = [0, 2, 4, 6, 8, 10].map((offset) => packet.readUInt16BE(offset));
  const name = () => {
    const read = readCompressed(packet, at);
    at = read.end;
    return read.name;
  };
  let question: string | null = null;
  for (let i = 0; i < questions; i++) {
    question = name();
    at += 4;
  }
  const section = (count = 0) =>
    Array.from({ length: count }, (): ReadRecord => {
      const owner = name();
      const length = packet.readUInt16BE(at + 8);
      const record = {
        name: owner,
        type: packet.readUInt16BE(at),
        ttlS: packet.readUInt32BE(at + 4),
        data: packet.subarray(at + 10, at + 10 + length),
      };
      at += 10 + length;
      if (at > packet.length) throw new RangeError("a record ends after the packet");
      return record;
    });
  const answers = section(counts[0]);
  const authorities = section(counts[1]);
  const all = section(counts[2]);
  if (at !== packet.length) throw new RangeError(`${packet.length - at} bytes are left over`);
  const edns = all.find(({ type }) => type === types.opt);
  return {
    id,
    flags,
    rcode: (flags & 0xf) | ((edns === undefined ? 0 : edns.ttlS >>> 24) << 4),
    isTruncated: (flags & 0x0200) !== 0,
    isAuthoritative: (flags & 0x0400) !== 0,
    question,
    answers,
    authorities,
    additional: all.filter(({ type }) => type !== types.opt),
    edns: edns?.data ?? null,
  };
}

function readCompressed(packet: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = start;
  let end: number | null = null;
  for (let steps = 0; steps < 128; steps++) {
    const length = packet.readUInt8(at);
    if (length >= 0xc0) {
      end ??= at + 2;
      at = packet.readUInt16BE(at) & 0x3fff;
    } else if (length === 0) return { name: labels.join("."), end: end ?? at + 1 };
    else {
      if (at + 1 + length > packet.length) throw new RangeError("a label ends after the packet");
      labels.push(packet.toString("latin1", at + 1, at + 1 + length));
      at += 1 + length;
    }
  }
  throw new RangeError("a name goes in circles");
}

export function addressOf({ type, data }: ReadRecord): string {
  return type === types.a ? [...data].join(".") : data.toString("hex");
}
