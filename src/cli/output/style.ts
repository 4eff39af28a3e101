import { terminalText } from "#host/terminal-text.ts";

/**
 * Styles are noncharacters of Unicode inside the text until it is printed, so that the printer can escape every line as a whole and no caller can
 * forget to. Outside text that contains them can at most colour itself.
 */
const codes = {
  reset: ["\ufdd0", 0],
  bold: ["\ufdd1", 1],
  dim: ["\ufdd2", 2],
  red: ["\ufdd3", 31],
  green: ["\ufdd4", 32],
  yellow: ["\ufdd5", 33],
  blue: ["\ufdd6", 34],
  magenta: ["\ufdd7", 35],
  cyan: ["\ufdd8", 36],
} as const;

export type Style = Exclude<keyof typeof codes, "reset">;

const sgrByMark: ReadonlyMap<string, number> = new Map(Object.values(codes).map(([mark, sgr]) => [mark, sgr]));
const marks = /[\ufdd0-\ufdd8]/g;

export function styled(style: Style, text: string): string {
  return text === "" ? "" : codes[style][0] + text + codes.reset[0];
}

/** The text with everything escaped but its styles. Piece by piece, so that plain ASCII between styles is passed through without a search. */
export function escapeText(text: string): string {
  return text
    .split(/([\ufdd0-\ufdd8])/)
    .map((piece) => (sgrByMark.has(piece) ? piece : terminalText(piece)))
    .join("");
}

/** Turns styles into escape sequences, or drops them where there is no terminal to show them. */
export function renderStyles(text: string, hasColour: boolean): string {
  return text.replace(marks, (mark) => (hasColour ? `\x1b[${sgrByMark.get(mark)}m` : ""));
}

/** Characters that take up room. */
export function visibleLength(text: string): number {
  return [...text.replace(marks, "")].length;
}

/** The text cut to `columns`, with its styles ended. */
export function cut(text: string, columns: number): string {
  if (visibleLength(text) <= columns) return text;
  let room = Math.max(0, columns - 1);
  let kept = "";
  for (const character of text) {
    const isMark = sgrByMark.has(character);
    if (!isMark && room-- === 0) break;
    kept += character;
  }
  return `${kept}…${codes.reset[0]}`;
}

/** Colours that tell instances apart; the name always stands beside them. */
const wheel: readonly Style[] = ["cyan", "green", "magenta", "yellow", "blue"];

export function styleOf(name: string): Style {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + character.charCodeAt(0)) % 65_521;
  return wheel[sum % wheel.length] ?? "cyan";
}
