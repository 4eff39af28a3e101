import type { ByteReader, ByteWriter } from "./bytes.ts";

/** How a column is written. Whatever mode it is, `gaps` is added where some of its samples are missing. */
const modes = { constant: 0, scaled: 1, raw: 2 } as const;
const gaps = 4;

/** Decimals that are looked for: seconds from the kernel have two to six, bytes and counts none. What has more is written as it is. */
const mostDecimals = 6;
/** Above this the difference of two could not be told exactly. */
const largest = 2 ** 51;
/** A sum of hundredths is a hundredth again but for its last bits; those mean nothing. */
const precision = 1e-13;

/**
 * Writes the samples of one series, NaN for one that is missing: whole multiples of a power of ten as differences, which zstd then finds alike,
 * anything else as it is. Numbers keep twelve digits at least.
 */
export function writeColumn(out: ByteWriter, values: Float64Array): void {
  const present = values.filter((value) => !Number.isNaN(value));
  const first = present[0];
  const hasGaps = present.length < values.length;
  const isConstant = first !== undefined && present.every((value) => value === first);
  const decimals = isConstant ? null : decimalsOf(present);
  const mode = isConstant || first === undefined ? modes.constant : decimals === null ? modes.raw : modes.scaled;
  out.byte(mode + (hasGaps ? gaps : 0));
  if (hasGaps) writePresence(out, values);
  if (first === undefined) return;
  if (decimals === null) {
    for (const value of mode === modes.constant ? [first] : present) out.double(value);
    return;
  }
  out.byte(decimals);
  const scale = 10 ** decimals;
  let before = 0;
  for (const value of present) {
    const whole = Math.round(value * scale);
    const difference = whole - before;
    out.varint(difference >= 0 ? 2 * difference : -2 * difference - 1);
    before = whole;
  }
}

/** Reads what `writeColumn` wrote of so many samples. @throws {RangeError} if the bytes end too soon */
export function readColumn(input: ByteReader, length: number): Float64Array {
  const kind = input.byte();
  const presence = (kind & gaps) === 0 ? null : input.bytes(Math.ceil(length / 8));
  const isThere = (at: number) => presence === null || (((presence[at >> 3] as number) >> (at & 7)) & 1) === 1;
  const values = new Float64Array(length);
  const mode = kind & 3;
  const decimals = mode === modes.scaled ? input.byte() : 0;
  const scale = 10 ** decimals;
  const isEmpty = presence?.every((byte) => byte === 0) ?? length === 0;
  const constant = mode === modes.constant && !isEmpty ? input.double() : 0;
  let before = 0;
  for (let at = 0; at < length; at++) {
    if (!isThere(at)) values[at] = Number.NaN;
    else if (mode === modes.constant) values[at] = constant;
    else if (mode === modes.raw) values[at] = input.double();
    else {
      const coded = input.varint();
      before += coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2;
      values[at] = before / scale;
    }
  }
  return values;
}

/** The fewest decimals that write all of them; null if they have too many. */
function decimalsOf(values: Float64Array): number | null {
  let decimals = 0;
  let most = 0;
  for (const value of values) {
    most = Math.max(most, Math.abs(value));
    while (!fits(value, decimals)) if (++decimals > mostDecimals) return null;
  }
  return most * 10 ** decimals <= largest ? decimals : null;
}

function fits(value: number, decimals: number): boolean {
  const scale = 10 ** decimals;
  const whole = Math.round(value * scale);
  return Math.abs(whole / scale - value) <= Math.abs(value) * precision;
}

function writePresence(out: ByteWriter, values: Float64Array): void {
  const bits = new Uint8Array(Math.ceil(values.length / 8));
  for (const [at, value] of values.entries()) if (!Number.isNaN(value)) bits[at >> 3] = (bits[at >> 3] as number) | (1 << (at & 7));
  out.bytes(bits);
}
