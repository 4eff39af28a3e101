/** Characters of one line that are shown: more is seen in a file, not in a page. */
const longestText = 5_000;

// Colours are how many apps mark their output, and meaningless here; they go. Everything else that acts instead of showing is shown.
const colours = /\u001b\[[0-9;:]*m/g;
const controls = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
/** More marks than this on one letter are there to paint over other lines. */
const piledMarks = /(\p{M}{4})\p{M}+/gu;

/** Text that came from outside, as it may stand in a page: controls are seen and do nothing, and nothing turns the direction of what follows. */
export function visibleText(text: string): string {
  const cut = text.length > longestText ? `${text.slice(0, longestText)}… (${text.length - longestText} more characters)` : text;
  return cut.replace(colours, "").replace(controls, show).replace(piledMarks, "$1");
}

function show(control: string): string {
  const code = control.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  return `\\u${code.toString(16).padStart(4, "0")}`;
}
