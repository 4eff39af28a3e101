import { isIPv4 } from "node:net";
import { types } from "./codes.ts";
import { type Labels, writeName } from "./names.ts";

/** One record's type and content as bytes. Whose it is and for how long is said where it is used. */
export interface RecordData {
  readonly type: number;
  readonly data: Buffer;
}

export interface ServiceRecord extends RecordData {
  /** Addresses of the target, which go with the answer so that nobody has to ask for them. */
  readonly glue: readonly RecordData[];
}

/** Where a service record's target starts in its data. */
export const targetAt = 6;

/** An A or AAAA record. @param address an IPv4 or IPv6 address without zone. */
export function addressRecord(address: string): RecordData {
  if (isIPv4(address)) return { type: types.a, data: Buffer.from(address.split(".").map(Number)) };
  return { type: types.aaaa, data: ipv6Bytes(address) };
}

export function serviceRecord(weight: number, port: number, target: Labels, glue: readonly RecordData[]): ServiceRecord {
  const head = Buffer.alloc(targetAt);
  head.writeUInt16BE(weight, 2);
  head.writeUInt16BE(port, 4);
  return { type: types.srv, data: Buffer.concat([head, writeName(target)]), glue };
}

export function textRecord(texts: readonly string[]): RecordData {
  return { type: types.txt, data: Buffer.concat(texts.map(characterString)) };
}

export function pointerRecord(target: Labels): RecordData {
  return { type: types.ptr, data: writeName(target) };
}

export function serverRecord(name: Labels): RecordData {
  return { type: types.ns, data: writeName(name) };
}

/** What ANY is answered with, so that it is of no use for amplification (RFC 8482, 4.2). */
export function anyRecord(): RecordData {
  return { type: types.hinfo, data: Buffer.concat([characterString("RFC8482"), characterString("")]) };
}

export function startOfAuthority(options: {
  readonly server: Labels;
  readonly mailbox: Labels;
  readonly serial: number;
  /** How long "there is no such name" may be kept (RFC 2308). */
  readonly negativeTtlS: number;
}): RecordData {
  const numbers = Buffer.alloc(20);
  // Refresh, retry and expire are for secondaries, which there are none of.
  for (const [i, value] of [options.serial >>> 0, 3_600, 600, 86_400, options.negativeTtlS].entries()) numbers.writeUInt32BE(value, i * 4);
  return { type: types.soa, data: Buffer.concat([writeName(options.server), writeName(options.mailbox), numbers]) };
}

function characterString(text: string): Buffer {
  const bytes = Buffer.from(text).subarray(0, 255);
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}

/** @param address anything that `net.isIPv6` takes, without zone. */
export function ipv6Bytes(address: string): Buffer {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const [, lead = "", a, b, c, d] = dotted ?? [];
  const pair = (high: string | undefined, low: string | undefined) => ((Number(high) << 8) | Number(low)).toString(16);
  const text = dotted === null ? address : `${lead}${pair(a, b)}:${pair(c, d)}`;
  const [head = "", tail] = text.split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16)));
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  const all = [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back];
  const bytes = Buffer.alloc(16);
  for (const [i, group] of all.entries()) bytes.writeUInt16BE(group, i * 2);
  return bytes;
}
