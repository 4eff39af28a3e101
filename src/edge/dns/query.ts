import { classes, flags, headerBytes, longestMessage, options, rcodes, types } from "./codes.ts";
import { type Labels, readName, skipName } from "./names.ts";

export interface Question {
  readonly labels: Labels;
  readonly type: number;
  readonly class: number;
  /** The question as it was asked, spelling included, which the answer repeats. A view of the packet. */
  readonly bytes: Buffer;
}

export interface Edns {
  /** The largest answer that the client takes over UDP, in bytes. */
  readonly udpBytes: number;
  readonly version: number;
  readonly isDnssecOk: boolean;
  /** The COOKIE option's content (RFC 7873): 8 bytes of the client and, from the second query on, the server's. */
  readonly cookie: Buffer | null;
}

export interface Query {
  readonly id: number;
  /** The header's second word. */
  readonly flags: number;
  /** Null asks for a cookie alone (RFC 7873, 5.4). */
  readonly question: Question | null;
  readonly edns: Edns | null;
  readonly sizeBytes: number;
}

export type ReadQuery =
  | { readonly kind: "query"; readonly query: Query }
  /** Not a query that can be answered, but one whose sender can be told so. */
  | { readonly kind: "bad"; readonly query: Query; readonly rcode: number }
  /** Not a query at all; an answer could start two servers talking to each other. */
  | { readonly kind: "noise" };

const noise = { kind: "noise" } as const;

/** Reads what a client sent. Never throws, whatever the bytes are. */
export function readQuery(packet: Buffer): ReadQuery {
  if (packet.length < headerBytes || packet.length > longestMessage) return noise;
  const head = { id: packet.readUInt16BE(0), flags: packet.readUInt16BE(2), sizeBytes: packet.length };
  if ((head.flags & flags.response) !== 0) return noise;
  const bare: Query = { ...head, question: null, edns: null };
  const bad = (rcode: number, query = bare) => ({ kind: "bad", query, rcode }) as const;
  if ((head.flags & flags.opcode) !== 0) return bad(rcodes.notImp);

  const counts = [4, 6, 8, 10].map((at) => packet.readUInt16BE(at));
  const [questions = 0, answers = 0, authorities = 0, additional = 0] = counts;
  if (questions > 1 || answers > 0 || authorities > 0 || (head.flags & flags.truncated) !== 0) return bad(rcodes.formErr);
  const question = questions === 0 ? null : readQuestion(packet);
  if (questions === 1 && question === null) return bad(rcodes.formErr);

  const asked: Query = { ...head, question, edns: null };
  const edns = readAdditional(packet, headerBytes + (question?.bytes.length ?? 0), additional);
  if (edns === "bad") return bad(rcodes.formErr, asked);
  const query: Query = { ...asked, edns };
  if (edns !== null && edns.version !== 0) return bad(rcodes.badVers, query);
  if (question === null) return edns?.cookie == null ? bad(rcodes.formErr, query) : { kind: "query", query };
  if (question.type === 0 || question.type === types.opt) return bad(rcodes.formErr, query);
  // Zone transfers among them: nobody needs the whole zone, and it would be the largest answer there is.
  if (question.class !== classes.internet || (question.type >= types.firstMeta && question.type < types.any))
    return bad(rcodes.refused, query);
  return { kind: "query", query };
}

function readQuestion(packet: Buffer): Question | null {
  const name = readName(packet, headerBytes);
  if (name === null || name.end + 4 > packet.length) return null;
  return {
    labels: name.labels,
    type: packet.readUInt16BE(name.end),
    class: packet.readUInt16BE(name.end + 2),
    bytes: packet.subarray(headerBytes, name.end + 4),
  };
}

/** The OPT record among the additional ones. Others (TSIG, padding of its own kind) are passed over. */
function readAdditional(packet: Buffer, start: number, count: number): Edns | null | "bad" {
  let edns: Edns | null = null;
  let at = start;
  for (let i = 0; i < count; i++) {
    const fixed = skipName(packet, at);
    if (fixed === null || fixed + 10 > packet.length) return "bad";
    const end = fixed + 10 + packet.readUInt16BE(fixed + 8);
    if (end > packet.length) return "bad";
    if (packet.readUInt16BE(fixed) === types.opt) {
      // One, and of the root (RFC 6891, 6.1.1).
      if (edns !== null || packet[at] !== 0) return "bad";
      const cookie = readCookie(packet.subarray(fixed + 10, end));
      if (cookie === "bad") return "bad";
      edns = {
        udpBytes: packet.readUInt16BE(fixed + 2),
        version: packet[fixed + 5] ?? 0,
        isDnssecOk: ((packet[fixed + 6] ?? 0) & 0x80) !== 0,
        cookie,
      };
    }
    at = end;
  }
  return edns;
}

function readCookie(data: Buffer): Buffer | null | "bad" {
  let cookie: Buffer | null = null;
  for (let at = 0; at < data.length; ) {
    if (at + 4 > data.length) return "bad";
    const end = at + 4 + data.readUInt16BE(at + 2);
    if (end > data.length) return "bad";
    if (data.readUInt16BE(at) === options.cookie) {
      const length = end - at - 4;
      if (length !== 8 && (length < 16 || length > 40)) return "bad";
      // The first counts (RFC 7873, 5.2).
      cookie ??= data.subarray(at + 4, end);
    }
    at = end;
  }
  return cookie;
}
