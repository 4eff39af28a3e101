import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { took } from "#model/quantities.ts";
import { nearest } from "../arguments.ts";
import { createOutput } from "./output.ts";
import { createProgress } from "./progress.ts";
import { styled } from "./style.ts";
import { table } from "./table.ts";
import { age } from "./time.ts";

function screen(properties: object = {}): NodeJS.WriteStream & { text: () => string } {
  let written = "";
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      written += chunk;
      done();
    },
  });
  return Object.assign(stream, properties, { text: () => written }) as never;
}

const terminal = { isTTY: true, columns: 40, rows: 5 };

test("colour needs a terminal and nobody who asked for none", () => {
  const shown = (properties: object, environment: Record<string, string>) => {
    const stdout = screen(properties);
    createOutput({ stdout, stderr: screen(), environment, json: false }).line(`${styled("red", "x")} \x1b[31m`);
    return stdout.text();
  };
  assert.equal(shown(terminal, {}), "\x1b[31mx\x1b[0m \\x1b[31m\n");
  assert.equal(shown(terminal, { NO_COLOR: "1" }), "x \\x1b[31m\n");
  assert.equal(shown(terminal, { TERM: "dumb" }), "x \\x1b[31m\n");
  assert.equal(shown({}, {}), "x \\x1b[31m\n");
});

test("on a terminal progress is drawn over itself, cut to its width and height, and gone at the end", () => {
  const stream = screen(terminal);
  const progress = createProgress({ stream, environment: { NO_COLOR: "1" }, isQuiet: false, monotonicMs: () => 0 });
  progress.show(["one", "x".repeat(60)]);
  progress.show(["one", "x".repeat(60)]);
  progress.show(["1", "2", "3", "4", "5", "6"]);
  progress.clear();
  progress.clear();
  assert.equal(stream.text(), `one\n${"x".repeat(38)}…\n\x1b[2A\x1b[J1\n2\n3\n… and 3 more\n\x1b[4A\x1b[J`);
});

test("without a terminal progress is plain lines, each when it changes, and not more than one can read", () => {
  let nowMs = 0;
  const stream = screen();
  const progress = createProgress({ stream, environment: {}, isQuiet: false, monotonicMs: () => nowMs });
  progress.show(["a 1", "b 1"]);
  progress.show(["a 2", "b 1"]);
  nowMs = 1_000;
  progress.show(["a 3", "b 1"]);
  progress.note("stays");
  progress.clear();
  assert.equal(stream.text(), "a 1\nb 1\na 3\nstays\n");
});

test("a table lines its columns up by what is seen, and cuts the last one", () => {
  assert.deepEqual(
    table(
      ["A", "B"],
      [
        [styled("red", "long one"), "x"],
        ["y", "a rather long text"],
      ],
      20,
    ).map((line) => line.replace(/[\ufdd0-\ufdd8]/g, "")),
    ["A         B", "long one  x", "y         a rather …"],
  );
});

test("the nearest name is one that a slip of the finger explains, or none", () => {
  const known = ["ps", "push", "plan", "apps", "apply", "releases", "rollback"];
  const rows = { psu: "ps", "p s": "ps", aply: "apply", realeases: "releases", rollbakc: "rollback", xyz: null, rel: "releases" };
  for (const [typed, wanted] of Object.entries(rows)) assert.equal(nearest(typed, known), wanted, typed);
});

test("times are said in the largest unit that says enough", () => {
  assert.deepEqual(
    [0, 59_999, 60_000, 3_600_000, 172_800_000].map((ms) => age(0, ms)),
    ["0s", "59s", "1m", "1h", "2d"],
  );
  assert.deepEqual([840, 12_340, 125_000].map(took), ["0.84 s", "12.3 s", "2 min 5 s"]);
});
