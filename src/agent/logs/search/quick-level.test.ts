import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { levelHeadLength, levelOf } from "#model/log-level.ts";
import { quickLevel } from "./quick-level.ts";

const parts = fc.constantFrom(
  ..."2026-05-01T10:20:30.123Z|INFO|WARN|WARNING|ERR|ERROR|Error|TRACE|NOTICE|CRITICAL|level=warn|severity=error|key=1|[info]|[ 12 ]|warn:|a:b|12:30|{|(|}|_INFO|INFO_|xWARN|FATAL|ALERT1|panic: |E0102 15:04:05|TypeError|java.io.IOException|é|\t| |  |]|[".split(
    "|",
  ),
);

test("what the bytes of a line tell of its level is what its text tells, or nothing", () => {
  let told = 0;
  fc.assert(
    fc.property(fc.array(fc.tuple(parts, fc.constantFrom("", " ", "-", "]")), { maxLength: 40 }), (words) => {
      const text = words.map((word) => word.join("")).join("");
      const bytes = Buffer.from(`x\n${text}\nINFO`, "utf8");
      const to = 2 + Buffer.byteLength(text);
      const quick = quickLevel(bytes, 2, to);
      if (quick === undefined) return;
      told++;
      assert.equal(quick, levelOf(bytes.toString("latin1", 2, Math.min(to, 2 + levelHeadLength))), JSON.stringify(text));
    }),
    { numRuns: 3_000 },
  );
  assert.ok(told > 100);
});

test("ordinary lines are told by their bytes", () => {
  for (const [text, level] of [
    ["2026-05-01T10:20:30.123Z INFO started in 12:30 key=4", "info"],
    ["2026-05-01 10:20:30,123 WARN  [1234] slow", "warn"],
    ["12 requests", null],
  ] as const)
    assert.equal(quickLevel(Buffer.from(text), 0, text.length), level, text);
});
