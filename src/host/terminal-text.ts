/** Marks that a person may stack on one letter in any living script; more only serve to paint over other lines. */
const mostMarks = 8;
/** Everything but printable ASCII and tab: text without any needs no work. */
const unusual = /[^\t\x20-\x7e]/;
/**
 * What a terminal acts upon instead of showing it, or shows as something else than it is: C0 and C1 controls but tab (ESC, CR, BEL, 8-bit CSI),
 * line and paragraph separators, lone surrogates, and format characters (bidi, zero width, tags) but the two joiners that scripts need.
 */
const unsafe = /(?![\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const piledMarks = new RegExp(`([\\p{M}\\u200c\\u200d]{${mostMarks}})[\\p{M}\\u200c\\u200d]+`, "gu");
/** Only the 7-bit form, only numbers, and of a length that real programs use. */
const colour = /\x1b\[([0-9;:]{0,64})m/g;
const reset = "\x1b[0m";

export interface TerminalTextOptions {
  /** Lets colours and weights (SGR) through and resets them at the end. Default false. */
  readonly colours?: boolean;
}

/**
 * One line of text from outside (logs, names, messages) in a form that is safe to print: what a terminal would act upon is shown as `\x1b`,
 * `\u{202e}` and the like. Tab stays; line feeds are escaped, so split into lines first. Without `colours` the result holds no control
 * character but tab.
 */
export function terminalText(text: string, { colours = false }: TerminalTextOptions = {}): string {
  if (!unusual.test(text)) return text;
  if (!colours || !text.includes("\x1b[")) return escapeAll(text);
  let shown = "";
  let from = 0;
  for (const match of text.matchAll(colour)) {
    if (!isHarmlessColour(match[1] ?? "")) continue;
    shown += escapeAll(text.slice(from, match.index)) + match[0];
    from = match.index + match[0].length;
  }
  return shown + escapeAll(text.slice(from)) + (from === 0 ? "" : reset);
}

function escapeAll(text: string): string {
  return text.replace(unsafe, escapeOne).replace(piledMarks, "$1…");
}

function escapeOne(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code === 10) return "\\n";
  if (code === 13) return "\\r";
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}

/** Conceal (8) would hide what was printed, so it is shown as text; the numbers of a colour after 38, 48 and 58 are no attributes. */
function isHarmlessColour(parameters: string): boolean {
  const numbers = parameters.split(";");
  for (let at = 0; at < numbers.length; at++) {
    const number = numbers[at] ?? "";
    if (/^0*8(?::|$)/.test(number)) return false;
    if (/^0*[345]8$/.test(number)) at += Number(numbers[at + 1]) === 2 ? 4 : 2;
  }
  return true;
}
