import { rcodes, types } from "../codes.ts";
import { nameBytes, opt, queryFor, uint16 } from "./packets.ts";

export interface HostilePacket {
  readonly what: string;
  readonly packet: Buffer;
  /** The code of the answer; null: silence. */
  readonly rcode: number | null;
}

const name = "api.shop.drover";
const good = queryFor(name);
const question = good.subarray(12);
const head = (flags: number, ...counts: readonly number[]) => uint16(7, flags, ...counts);
const cookie = (length: number) => Buffer.concat([uint16(10, length), Buffer.alloc(length, 5)]);
const label = (length: number) => Buffer.concat([Buffer.of(length), Buffer.alloc(length, 97)]);
const asked = (nameOnWire: Buffer) => Buffer.concat([head(0x0100, 1, 0, 0, 0), nameOnWire, uint16(1, 1)]);

/** What nobody sends by accident, each with the answer that the RFCs or prudence give it. */
export function hostilePackets(): readonly HostilePacket[] {
  return [
    ...wrongHeaders(),
    ...wrongNames(),
    ...wrongTypes(),
    ...wrongEdns(),
    ...Array.from({ length: good.length }, (_, length) => ({
      what: `cut after ${length} bytes`,
      packet: good.subarray(0, length),
      rcode: length < 12 ? null : rcodes.formErr,
    })),
  ];
}

function wrongHeaders(): readonly HostilePacket[] {
  const { noError, formErr, notImp } = rcodes;
  return [
    { what: "an answer", packet: Buffer.concat([head(0x8100, 1, 0, 0, 0), question]), rcode: null },
    { what: "an answer that is an error", packet: Buffer.concat([head(0x8005, 1, 0, 0, 0), question]), rcode: null },
    ...Array.from({ length: 15 }, (_, i) => ({
      what: `opcode ${i + 1}`,
      packet: Buffer.concat([head((i + 1) << 11, 1, 0, 0, 0), question]),
      rcode: notImp,
    })),
    { what: "no question", packet: head(0x0100, 0, 0, 0, 0), rcode: formErr },
    { what: "two questions", packet: Buffer.concat([head(0x0100, 2, 0, 0, 0), question, question]), rcode: formErr },
    { what: "65,535 questions", packet: Buffer.concat([head(0x0100, 65_535, 0, 0, 0), question]), rcode: formErr },
    { what: "an answer in the query", packet: Buffer.concat([head(0x0100, 1, 1, 0, 0), question, opt()]), rcode: formErr },
    { what: "an authority in the query", packet: Buffer.concat([head(0x0100, 1, 0, 1, 0), question, opt()]), rcode: formErr },
    { what: "65,535 additional records", packet: Buffer.concat([head(0x0100, 1, 0, 0, 65_535), question, opt()]), rcode: formErr },
    { what: "a truncated query", packet: Buffer.concat([head(0x0300, 1, 0, 0, 0), question]), rcode: formErr },
    { what: "bytes after the query", packet: Buffer.concat([good, Buffer.alloc(300, 1)]), rcode: noError },
    { what: "every flag", packet: Buffer.concat([head(0x05ff, 1, 0, 0, 0), question]), rcode: noError },
  ];
}

function wrongNames(): readonly HostilePacket[] {
  const { formErr, nxDomain } = rcodes;
  const below = nameBytes("drover");
  return [
    { what: "a pointer to itself", packet: asked(uint16(0xc00c)), rcode: formErr },
    { what: "a pointer forward", packet: asked(uint16(0xc0ff)), rcode: formErr },
    { what: "a pointer into the header", packet: asked(uint16(0xc000)), rcode: formErr },
    { what: "a label and a pointer to it", packet: asked(Buffer.concat([label(1), uint16(0xc00c)])), rcode: formErr },
    { what: "127 pointers", packet: asked(Buffer.concat(Array.from({ length: 127 }, (_, i) => uint16(0xc00c + 2 * i)))), rcode: formErr },
    { what: "a label of 64", packet: asked(Buffer.concat([label(64), below])), rcode: formErr },
    { what: "a label of 191", packet: asked(Buffer.concat([label(191), below])), rcode: formErr },
    { what: "a label of 63", packet: asked(Buffer.concat([label(63), below])), rcode: nxDomain },
    { what: "a name of 255", packet: asked(Buffer.concat([label(63), label(63), label(63), label(54), below])), rcode: nxDomain },
    { what: "a name of 256", packet: asked(Buffer.concat([label(63), label(63), label(63), label(55), below])), rcode: formErr },
    { what: "123 labels", packet: asked(Buffer.concat([...Array.from({ length: 123 }, () => label(1)), below])), rcode: nxDomain },
    { what: "124 labels", packet: asked(Buffer.concat([...Array.from({ length: 124 }, () => label(1)), below])), rcode: formErr },
    { what: "65,000 bytes of labels", packet: asked(Buffer.concat(Array.from({ length: 1_000 }, () => label(63)))), rcode: formErr },
    { what: "a name without an end", packet: Buffer.concat([head(0x0100, 1, 0, 0, 0), label(3), Buffer.of(9, 97)]), rcode: formErr },
    ...["\0", "..", "a\0b", "\x1b]52;c;", "\xff\xfe", "__proto__", "constructor", "$(id)", "*", "a b", "\n"].map((text) => ({
      what: `the label ${JSON.stringify(text)}`,
      packet: asked(Buffer.concat([Buffer.of(text.length), Buffer.from(text, "latin1"), nameBytes("shop.drover")])),
      rcode: nxDomain,
    })),
    ...["api.shop", "shop.drover.api", "web.api.shop"].map((text) => ({
      what: `dots inside the label ${text}`,
      packet: asked(Buffer.concat([Buffer.of(text.length), Buffer.from(text), below])),
      rcode: nxDomain,
    })),
  ];
}

function wrongTypes(): readonly HostilePacket[] {
  const { noError, formErr, refused } = rcodes;
  return [
    ...[0, 3, 4, 254, 255, 0x8001].map((value) => ({ what: `class ${value}`, packet: queryFor(name, { class: value }), rcode: refused })),
    ...[249, 250, 251, 252, 253, 254].map((type) => ({ what: `type ${type}`, packet: queryFor("drover", { type }), rcode: refused })),
    { what: "type 0", packet: queryFor(name, { type: 0 }), rcode: formErr },
    { what: "type OPT", packet: queryFor(name, { type: types.opt }), rcode: formErr },
    { what: "type ANY", packet: queryFor(name, { type: types.any }), rcode: noError },
    { what: "a type that nobody knows", packet: queryFor(name, { type: 65_280 }), rcode: noError },
  ];
}

function wrongEdns(): readonly HostilePacket[] {
  const { noError, formErr, badVers } = rcodes;
  const withAdditional = (count: number, ...records: readonly Buffer[]) =>
    Buffer.concat([head(0x0100, 1, 0, 0, count), question, ...records]);
  const named = Buffer.concat([nameBytes("a"), opt().subarray(1)]);
  const pointing = (to: number) => Buffer.concat([uint16(to), opt().subarray(1)]);
  const other = Buffer.concat([Buffer.of(0), uint16(250, 255, 0, 0, 4), Buffer.alloc(4)]);
  const lying = (length: number) => Buffer.concat([Buffer.of(0), uint16(types.opt, 1_232, 0, 0, length)]);
  return [
    { what: "OPT twice", packet: withAdditional(2, opt(), opt()), rcode: formErr },
    { what: "OPT after another record", packet: withAdditional(2, other, opt()), rcode: noError },
    { what: "OPT before another record", packet: withAdditional(2, opt(), other), rcode: noError },
    { what: "OPT of a name", packet: withAdditional(1, named), rcode: formErr },
    { what: "OPT of a pointer back", packet: withAdditional(1, pointing(0xc00c)), rcode: formErr },
    { what: "OPT of a pointer to itself", packet: withAdditional(1, pointing(0xc000 | good.length)), rcode: formErr },
    { what: "OPT longer than the packet", packet: withAdditional(1, lying(1)), rcode: formErr },
    { what: "OPT of 65,535 bytes", packet: withAdditional(1, lying(65_535)), rcode: formErr },
    { what: "EDNS version 1", packet: queryFor(name, { edns: { version: 1 } }), rcode: badVers },
    { what: "half an option", packet: queryFor(name, { edns: { data: Buffer.of(0, 10, 0) } }), rcode: formErr },
    { what: "an option longer than its record", packet: queryFor(name, { edns: { data: uint16(10, 200) } }), rcode: formErr },
    ...[0, 7, 9, 15, 41, 200].map((length) => ({
      what: `a cookie of ${length}`,
      packet: queryFor(name, { edns: { data: cookie(length) } }),
      rcode: formErr,
    })),
    ...[0, 1, 511, 65_535].map((udpBytes) => ({
      what: `EDNS size ${udpBytes}`,
      packet: queryFor(name, { edns: { udpBytes } }),
      rcode: noError,
    })),
  ];
}
