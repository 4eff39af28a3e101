import { longestLabel, longestName } from "./codes.ts";

/** A name as labels from the left, in lower case, one character a byte. The root is none. */
export type Labels = readonly string[];

export interface ReadName {
  readonly labels: Labels;
  /** Offset after the name's last byte. */
  readonly end: number;
}

/** The name that starts at `at`, or null if it does not end within the packet and the bounds of RFC 1035. Compression is not accepted: queries have nothing to point to. */
export function readName(packet: Buffer, at: number): ReadName | null {
  const labels: string[] = [];
  let end = at;
  for (;;) {
    const length = packet[end];
    if (length === undefined || length > longestLabel) return null;
    if (length === 0) return end + 1 - at > longestName ? null : { labels, end: end + 1 };
    if (end + 1 + length >= packet.length || end + 1 + length - at >= longestName) return null;
    labels.push(lowerCase(packet.toString("latin1", end + 1, end + 1 + length)));
    end += 1 + length;
  }
}

/** ASCII only (RFC 4343): the bytes of other alphabets are no letters here. */
export function lowerCase(text: string): string {
  return /[A-Z]/.test(text) ? text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : text;
}

/** @throws {RangeError} if a label or the whole is longer than a name may be. */
export function writeName(labels: Labels): Buffer {
  const parts = labels.flatMap((label) => {
    const bytes = Buffer.from(label, "latin1");
    if (bytes.length === 0 || bytes.length > longestLabel) throw new RangeError(`no label of a name: ${JSON.stringify(label)}`);
    return [Buffer.of(bytes.length), bytes];
  });
  const name = Buffer.concat([...parts, Buffer.of(0)]);
  if (name.length > longestName) throw new RangeError(`a name of ${name.length} bytes is too long`);
  return name;
}

/**
 * Offset after the name at `at`, compressed or not, or null if there is none. A pointer has to lead backwards, as RFC 1035, 4.1.4 has it, and is
 * not followed: so nothing in a packet can send the reader in a circle (RFC 9267).
 */
export function skipName(packet: Buffer, at: number): number | null {
  for (let end = at; end - at < longestName; ) {
    const length = packet[end];
    if (length === undefined) return null;
    if (length >= 0xc0) {
      const low = packet[end + 1];
      return low === undefined || ((length & 0x3f) << 8) + low >= at ? null : end + 2;
    }
    if (length > longestLabel) return null;
    if (length === 0) return end + 1;
    end += 1 + length;
  }
  return null;
}
