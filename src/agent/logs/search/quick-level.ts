import { type EventLevel, levelHeadLength } from "#model/log-level.ts";

/*
 * The level of most lines, told from their bytes: a word in capitals is looked for as `levelOf` does, without a text made of each line and without a regular
 * expression. What may be said in another way (JSON, `level=`, [brackets], `word:`, an exception's name) is left to `levelOf`.
 */

/** What a byte is for the search: no part of a word, one, a letter that a level begins with, or a sign that there may be another way. */
const [apart, ofWord, begins, equals, bracket, colon] = [0, 1, 2, 3, 4, 5];
const classes = Uint8Array.from({ length: 256 }, (_, byte) => classOf(String.fromCharCode(byte)));
const wordLevels: readonly (readonly [string, EventLevel])[] = [
  ["TRACE", "trace"],
  ["DEBUG", "debug"],
  ["INFO", "info"],
  ["NOTICE", "info"],
  ["WARN", "warn"],
  ["WARNING", "warn"],
  ["ERR", "error"],
  ["ERROR", "error"],
  ["SEVERE", "error"],
  ["CRIT", "fatal"],
  ["CRITICAL", "fatal"],
  ["FATAL", "fatal"],
  ["PANIC", "fatal"],
  ["ALERT", "fatal"],
  ["EMERG", "fatal"],
];
const candidates = Array.from({ length: 256 }, (_, byte) =>
  wordLevels.filter(([word]) => word.charCodeAt(0) === byte).map(([word, level]) => ({ letters: Buffer.from(word), level })),
);

function classOf(character: string): number {
  if (/[TDINWESCFPA]/.test(character)) return begins;
  if (/[A-Za-z0-9_]/.test(character)) return ofWord;
  return character === "=" ? equals : character === "[" ? bracket : character === ":" ? colon : apart;
}

/** The level of the line from `from` to `to`; null: it says none; undefined: `levelOf` has to look. */
export function quickLevel(bytes: Uint8Array, from: number, to: number): EventLevel | null | undefined {
  const end = Math.min(to, from + levelHeadLength);
  const first = bytes[from] ?? 0;
  if (first === 0x7b) return undefined;
  let isInWord = false;
  for (let at = from; at < end; at++) {
    const is = classes[bytes[at] as number] as number;
    if (is === ofWord) {
      isInWord = true;
    } else if (is === begins) {
      if (!isInWord) {
        const level = levelAt(bytes, at, end);
        if (level !== null) return saysLevelElse(bytes, at, end) ? undefined : level;
      }
      isInWord = true;
    } else {
      if (is === equals && isOfLevelName(bytes, at)) return undefined;
      if (is === bracket && !isDigit(bytes[at + 1] ?? 0)) return undefined;
      if (is === colon && isInWord && !isDigit(bytes[at - 1] ?? 0)) return undefined;
      isInWord = false;
    }
  }
  // A name of an exception, or klog's letter, would stand at the very start.
  return isDigit(first) || first === 0x20 || first === 0x09 ? null : undefined;
}

/** Whether a field says the level later on: it counts before any word. */
function saysLevelElse(bytes: Uint8Array, from: number, end: number): boolean {
  for (let at = from; at < end; at++) if (bytes[at] === 0x3d && isOfLevelName(bytes, at)) return true;
  return false;
}

/** Whether `level=`, `lvl=` or `severity=` may end with the equals sign at `at`: others that end alike, such as `ttl=`, are not worth a text. */
function isOfLevelName(bytes: Uint8Array, at: number): boolean {
  const [last, before] = [bytes[at - 1], bytes[at - 2]];
  return last === 0x6c ? before === 0x65 || before === 0x76 : last === 0x79 && before === 0x74;
}

function levelAt(bytes: Uint8Array, at: number, end: number): EventLevel | null {
  for (const { letters, level } of candidates[bytes[at] as number] as (typeof candidates)[number]) {
    let same = 1;
    while (same < letters.length && bytes[at + same] === letters[same]) same++;
    if (same < letters.length || at + same > end) continue;
    const next = at + same === end ? apart : classes[bytes[at + same] as number];
    if (next !== ofWord && next !== begins) return level;
  }
  return null;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
