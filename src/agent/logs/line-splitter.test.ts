import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LineSplitter, longestLineBytes, type Piece } from "./line-splitter.ts";

/** What the pieces say, with each line as its bytes and each cut as its count. */
function read(pieces: readonly Piece[]): (string | number)[] {
  return pieces.flatMap((piece): (string | number)[] => {
    if ("cutBytes" in piece) return [piece.cutBytes];
    const lines = piece.body.toString("latin1").split("\n");
    assert.equal(lines.pop(), "");
    assert.equal(lines.length, piece.lines);
    return lines;
  });
}

/** The rule itself, on all bytes at once. */
function expected(bytes: Buffer): (string | number)[] {
  const lines = bytes.toString("latin1").split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.flatMap((line) =>
    line.length > longestLineBytes ? [line.slice(0, longestLineBytes), line.length - longestLineBytes] : [line],
  );
}

const bytes = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array)),
    fc.constant(Buffer.from("\n")),
    fc.integer({ min: longestLineBytes - 3, max: longestLineBytes + 3 }).map((length) => Buffer.alloc(length, "x")),
  ),
  { maxLength: 12 },
);

test("lines are the same however their bytes arrive", () => {
  fc.assert(
    fc.property(bytes, fc.array(fc.integer({ min: 1, max: 20_000 }), { maxLength: 20 }), (parts, sizes) => {
      const whole = Buffer.concat(parts);
      const splitter = new LineSplitter();
      const pieces: Piece[] = [];
      let at = 0;
      for (const size of [...sizes, whole.length]) {
        if (at < whole.length) pieces.push(...splitter.push(Buffer.from(whole.subarray(at, at + size))));
        at += size;
      }
      pieces.push(...splitter.flush());
      assert.deepEqual(read(pieces), expected(whole));
    }),
    { numRuns: 300 },
  );
});

test("a line without an end keeps no more than one line's bytes", () => {
  const splitter = new LineSplitter();
  const block = Buffer.alloc(65_536, "x");
  const pieces: Piece[] = [];
  for (let count = 0; count < 1_000; count++) pieces.push(...splitter.push(block));
  assert.equal(pieces.length, 1);
  assert.equal(splitter.isInLine, false);
  assert.deepEqual(read(splitter.flush()), [1_000 * 65_536 - longestLineBytes]);
});
