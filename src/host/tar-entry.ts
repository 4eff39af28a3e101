/** Writing tar: what the command line packs sources with, and the agent artifacts. Reading, where the strictness is, is the agent's. */

export const blockBytes = 512;

export interface NewEntry {
  readonly name: string;
  /** The type flag: `0` file, `2` symbolic link, `5` folder. */
  readonly type: "0" | "2" | "5";
  readonly mode: number;
  readonly sizeBytes: number;
  readonly linkTarget: string;
}

/** The header blocks of an entry (POSIX ustar, pax for long names), without any time or owner, so that the same entry always gives the same bytes. */
export function encodeEntry(entry: NewEntry): Buffer {
  const records: [string, string][] = [];
  if (Buffer.byteLength(entry.name) > 100) records.push(["path", entry.name]);
  if (Buffer.byteLength(entry.linkTarget) > 100) records.push(["linkpath", entry.linkTarget]);
  const header = encodeBlock(entry.name, entry.type, entry.mode, entry.sizeBytes, entry.linkTarget);
  if (records.length === 0) return header;
  const body = Buffer.from(records.map(([key, value]) => paxRecord(key, value)).join(""));
  return Buffer.concat([encodeBlock("PaxHeader", "x", 0o644, body.length, ""), body, padding(body.length), header]);
}

/** Zeros up to the next block. */
export function padding(sizeBytes: number): Buffer {
  return Buffer.alloc((blockBytes - (sizeBytes % blockBytes)) % blockBytes);
}

/** What a header's checksum field has to say: the sum of its bytes, the field itself taken as spaces. */
export function headerChecksum(block: Buffer): number {
  let sum = 8 * 0x20;
  for (const [i, byte] of block.entries()) if (i < 148 || i >= 156) sum += byte;
  return sum;
}

function encodeBlock(name: string, type: string, mode: number, sizeBytes: number, linkTarget: string): Buffer {
  const block = Buffer.alloc(blockBytes);
  Buffer.from(name).copy(block, 0, 0, 100);
  block.write(`${mode.toString(8).padStart(7, "0")}\0`, 100);
  block.write("0000000\0", 108);
  block.write("0000000\0", 116);
  // 8 GiB is the most that eleven octal digits hold, and four times what an artifact may have in all.
  block.write(`${sizeBytes.toString(8).padStart(11, "0")}\0`, 124);
  block.write("00000000000\0", 136);
  block.write(type, 156);
  Buffer.from(linkTarget).copy(block, 157, 0, 100);
  block.write("ustar\x0000", 257);
  block.write(`${headerChecksum(block).toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + 1;
  while (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}
