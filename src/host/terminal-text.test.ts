import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { terminalText } from "./terminal-text.ts";

const esc = "\x1b";
const control = /(?!\t)\p{Cc}/u;

const hostile: readonly string[] = [
  ...Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).filter((text) => text !== "\t"),
  ...Array.from({ length: 33 }, (_, index) => String.fromCharCode(0x7f + index)),
  ...Array.from({ length: 63 }, (_, index) => `${esc}[1;2${String.fromCharCode(0x40 + index)}`),
  ...Array.from({ length: 63 }, (_, index) => `\x9b1;2${String.fromCharCode(0x40 + index)}`),
  ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 52, 133, 777, 1337].flatMap((number) => [
    `${esc}]${number};x\x07`,
    `${esc}]${number};x${esc}\\`,
    `\x9d${number};x\x9c`,
    `${esc}]${number};never ends`,
  ]),
  `${esc}P$q"p${esc}\\`,
  `\x90$q"p\x9c`,
  `${esc}_Gf=100;AAAA${esc}\\`,
  `${esc}^pm${esc}\\`,
  `${esc}Xsos${esc}\\`,
  `${esc}c`,
  `${esc}`,
  `${esc}[`,
  "overwritten\rnew",
  Buffer.from([0xe2, 0x82, 0x1b, 0x5d]).toString("utf8"),
  Buffer.from([0xc2, 0x9b, 0x32, 0x4a]).toString("utf8"),
  Buffer.from([0x9b, 0x32, 0x4a]).toString("latin1"),
];

test("nothing that a terminal acts upon is left of hostile text", () => {
  for (const text of hostile) {
    const shown = terminalText(text);
    assert.doesNotMatch(shown, control, JSON.stringify(text));
    assert.notEqual(shown, text, JSON.stringify(text));
  }
});

test("ordinary text in any script stays as it is", () => {
  for (const text of ["plain\ttext", "naïve café", "日本語", "עברית", "👩‍👩‍👧 🇩🇪", "e\u0301", "a\\x1b", ""])
    assert.equal(terminalText(text), text);
});

test("escapes say which character was there", () => {
  assert.equal(terminalText(`a${esc}[2Jb\r\n\x07\x9b\u202ec\u2028\ud800`), "a\\x1b[2Jb\\r\\n\\x07\\x9b\\u{202e}c\\u{2028}\\u{d800}");
});

test("text cannot be turned around, hidden or painted over", () => {
  for (const code of [0x61c, 0x200b, 0x200e, 0x200f, 0x202a, 0x202e, 0x2060, 0x2066, 0x2069, 0xfeff, 0xfff9, 0xe0041]) {
    assert.equal(terminalText(`a${String.fromCodePoint(code)}b`), `a\\u{${code.toString(16)}}b`);
  }
  assert.ok(terminalText(`a${"\u0301".repeat(1_000_000)}b`).length < 20);
  assert.ok(terminalText(`a${"\u200d".repeat(1_000_000)}b`).length < 20);
});

test("colours pass only when asked for, and are reset at the end", () => {
  const red = `${esc}[1;31mred`;
  assert.equal(terminalText(red), "\\x1b[1;31mred");
  assert.equal(terminalText(red, { colours: true }), `${red}${esc}[0m`);
  assert.equal(terminalText(`${esc}[38;5;8mgrey`, { colours: true }), `${esc}[38;5;8mgrey${esc}[0m`);
});

test("hidden text, 8-bit forms and everything but colours stay escaped when colours pass", () => {
  for (const text of [
    `${esc}[8mx`,
    `${esc}[1;08mx`,
    `${esc}[38;5;1;8mx`,
    "\x9b31mx",
    `${esc}[2J`,
    `${esc}[?25lm`,
    `${esc}[31${esc}m`,
    `${esc}[${"1;".repeat(40)}m`,
  ])
    assert.doesNotMatch(terminalText(text, { colours: true }), control, JSON.stringify(text));
});

test("no text at all gets a control character through", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(...hostile))), (parts) => {
      const text = parts.join("");
      assert.doesNotMatch(terminalText(text), control);
      const coloured = terminalText(text, { colours: true });
      assert.doesNotMatch(coloured.replace(/\x1b\[[0-9;:]*m/g, ""), control);
    }),
  );
});
