/*
 * Which texts a segment cannot hold. One bit for every three bytes in a row that occur in it, and two for every whole word: a bit that is not set
 * is proof. Trigrams answer for any part of a text; words answer for the ids that fields are searched for, whose trigrams (of hex digits, say)
 * occur everywhere.
 */

/** Bytes as trigrams see them, in six bits: letters in one case, digits and `_` by themselves; others share what is left. */
const codeBits = 6;
const trigramBits = 2 ** (3 * codeBits);
/** Marks the codes of bytes that words consist of. */
const isOfWord = 1 << codeBits;
const codes = Uint8Array.from({ length: 256 }, (_, byte) => codeOf(byte));
/** Bits of the words' table for each byte of text: ordinary logs set about a fifth of them. */
const wordBitsPerByte = 0.25;
const leastWordBits = 2 ** 10;
const mostWordBits = 2 ** 23;
/** Shorter ones are everywhere. */
const shortestWord = 4;

function codeOf(byte: number): number {
  if (byte >= 65 && byte <= 90) return codeOf(byte + 32);
  if (byte >= 97 && byte <= 122) return isOfWord | (byte - 97 + 1);
  if (byte >= 48 && byte <= 57) return isOfWord | (byte - 48 + 27);
  return byte === 95 ? isOfWord | 37 : 38 + (byte % 26);
}

/** A filter that is being made. */
export class WordFilter {
  /** One byte for each: to set one takes no look at its neighbours, and so two thirds of the time of a bit. */
  readonly #trigrams = new Uint8Array(trigramBits);
  readonly #words: Int32Array;

  constructor(textBytes: number) {
    const wordBits = Math.min(mostWordBits, Math.max(leastWordBits, 2 ** Math.round(Math.log2(Math.max(1, textBytes) * wordBitsPerByte))));
    this.#words = new Int32Array(wordBits / 32);
  }

  /** Adds the text of `bytes` from `from` to `to`. Every byte of every log comes through here: a nanosecond more is a percent of a core in a flood. */
  add(bytes: Uint8Array, from: number, to: number): void {
    const trigrams = this.#trigrams;
    const words = this.#words;
    const wordMask = words.length * 32 - 1;
    let trigram = 0;
    let word = 0;
    let wordAt = from;
    for (let at = from; at < to; at++) {
      const code = codes[bytes[at] as number] as number;
      trigram = ((trigram << codeBits) | (code & (isOfWord - 1))) & (trigramBits - 1);
      trigrams[trigram] = 1;
      if (code >= isOfWord) word = (Math.imul(word, 31) + code) | 0;
      else {
        if (at - wordAt >= shortestWord) addWord(words, wordMask, word);
        word = 0;
        wordAt = at + 1;
      }
    }
    if (to - wordAt >= shortestWord) addWord(words, wordMask, word);
  }

  /** What is kept of it: the bits of the trigrams, and those of the words. */
  finish(): Uint8Array {
    const kept = new Uint8Array(trigramBits / 8 + this.#words.byteLength);
    const fours = new Int32Array(this.#trigrams.buffer);
    for (let at = 0; at < trigramBits / 8; at++) kept[at] = bitsOf(fours[2 * at] as number) | (bitsOf(fours[2 * at + 1] as number) << 4);
    kept.set(new Uint8Array(this.#words.buffer), trigramBits / 8);
    return kept;
  }
}

/** Four bytes that are 0 or 1, as four bits. */
function bitsOf(four: number): number {
  return (four | (four >>> 7) | (four >>> 14) | (four >>> 21)) & 0xf;
}

function addWord(words: Int32Array, mask: number, hash: number): void {
  const first = mix(hash) & mask;
  const second = mix(~hash) & mask;
  words[first >>> 5] = (words[first >>> 5] as number) | (1 << (first & 31));
  words[second >>> 5] = (words[second >>> 5] as number) | (1 << (second & 31));
}

/** Whether text that was added can hold `text`. Too short to tell is yes. @param filter the bytes of one */
export function mayHoldText(filter: Uint8Array, text: Uint8Array): boolean {
  const code = (at: number) => (codes[text[at] ?? 0] ?? 0) & (isOfWord - 1);
  for (let at = 2; at < text.length; at++)
    if (!hasBit(filter, (code(at - 2) << (2 * codeBits)) | (code(at - 1) << codeBits) | code(at))) return false;
  return true;
}

/** Whether `word` can stand there with no letter, digit or `_` beside it. */
export function mayHoldWord(filter: Uint8Array, word: Uint8Array): boolean {
  if (word.length < shortestWord) return true;
  let hash = 0;
  for (const byte of word) hash = (Math.imul(hash, 31) + (codes[byte] ?? 0)) | 0;
  const mask = filter.length * 8 - trigramBits - 1;
  return hasBit(filter, trigramBits + (mix(hash) & mask)) && hasBit(filter, trigramBits + (mix(~hash) & mask));
}

/** The words of a text as the filter sees them. */
export function wordsIn(text: string): readonly string[] {
  return text.match(/[a-z0-9_]+/g) ?? [];
}

/** The finaliser of MurmurHash3, by Austin Appleby (public domain): every bit of the sum reaches those that the mask leaves. */
function mix(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

function hasBit(filter: Uint8Array, bit: number): boolean {
  return ((filter[bit >>> 3] ?? 0) & (1 << (bit & 7))) !== 0;
}
