import assert from "node:assert/strict";
import { test } from "node:test";
import { fieldsOf, statedTimeOf } from "./log-fields.ts";
import { levelOf } from "./log-level.ts";
import { foldText, parseLogQuery } from "./log-query.ts";

test("a search is words, phrases, fields, levels and what it does not want", () => {
  assert.deepEqual(parseLogQuery('Timeout "Connection refused" -healthz status:500 user.id:42 ms>=250 level>=error path:/api/*'), [
    [
      { kind: "text", text: "timeout", not: false },
      { kind: "text", text: "connection refused", not: false },
      { kind: "text", text: "healthz", not: true },
      { kind: "is", field: "status", value: "500", not: false },
      { kind: "is", field: "user.id", value: "42", not: false },
      { kind: "compares", field: "ms", by: ">=", value: 250, not: false },
      { kind: "level", levels: ["error", "fatal"], not: false },
      { kind: "begins", field: "path", value: "/api/", not: false },
    ],
  ]);
  assert.deepEqual(parseLogQuery(""), [[]]);
  assert.deepEqual(
    parseLogQuery("a b OR c").map((terms) => terms.length),
    [2, 1],
  );
  assert.deepEqual(parseLogQuery('msg:"it \\"broke\\""'), [[{ kind: "is", field: "msg", value: 'it "broke"', not: false }]]);
  for (const text of ["http://x/y", "12:30:01", '"level:error"', "-", "a-b", "[x]"])
    assert.deepEqual(parseLogQuery(text), [[{ kind: "text", text: text.replaceAll('"', ""), not: false }]], text);
});

test("a search that means nothing is refused with what is wrong in it", () => {
  for (const [text, message] of [
    ["level:loud", /"loud" is no level/],
    ["ms>fast", /"fast", which is no number/],
    ['"open', /quote is not closed/],
    ["OR a", /nothing before/],
    ["a OR", /nothing after/],
    ['""', /a term is empty/],
    ["x".repeat(1_001), /longer than 1000/],
    ["x ".repeat(51), /more than 50 terms/],
  ] as const)
    assert.throws(() => parseLogQuery(text), { code: "LOG_QUERY_INVALID", message });
});

test("small letters are those of A to Z alone", () => {
  assert.equal(foldText("ÄRGER Straße \u212a"), "Ärger straße \u212a");
});

test("levels are recognised in JSON, in pairs, in plain text and at the head of failures, and in nothing else", () => {
  for (const [text, level] of [
    ['{"level":"WARN","msg":"x"}', "warn"],
    ['{"level":50,"msg":"x"}', "error"],
    ['{"msg":"x","severity":"CRITICAL"}', "fatal"],
    ['{"msg":"the level was ERROR"}', "error"],
    ["time=1 level=debug msg=x", "debug"],
    ["2024-05-01T10:00:00Z INFO started", "info"],
    ["2024-05-01 10:00:00,123 - app - WARNING - slow", "warn"],
    ["[error] broken", "error"],
    ["npm error: broken", "error"],
    ["E0102 15:04:05.000000 1 main.go:1] x", "error"],
    ["Traceback (most recent call last):", "error"],
    ["java.lang.IllegalStateException: x", "error"],
    ["TypeError: x is not a function", "error"],
    ["panic: runtime error", "fatal"],
    ["GET /errors 200", null],
    ["informational text", null],
    ["", null],
  ] as const)
    assert.equal(levelOf(text), level, text);
});

test("fields come from JSON, nested ones by dots, and from pairs; what an app calls them harms nobody", () => {
  assert.deepEqual(
    { ...fieldsOf('{"a":{"b":1,"c":[1]},"d":null,"__proto__":"x"}') },
    JSON.parse('{"a.b":1,"a.c":"[1]","d":null,"__proto__":"x"}'),
  );
  assert.deepEqual({ ...fieldsOf('took=12 msg="a \\"b\\"" path=/x') }, { took: "12", msg: 'a "b"', path: "/x" });
  assert.deepEqual(fieldsOf("{not json"), {});
});

test("the time that a line states is kept beside that of its reading", () => {
  const at = Date.parse("2024-05-01T10:00:00.250Z");
  for (const text of [
    '{"time":"2024-05-01T10:00:00.250Z"}',
    '{"ts":1714557600.25}',
    '{"time":1714557600250}',
    '{"ts":1714557600250000000}',
    "2024-05-01T12:00:00.250+02:00 INFO x",
    "2024-05-01 10:00:00,250 x",
    "[2024-05-01T10:00:00.250Z] x",
  ])
    assert.equal(statedTimeOf(text, fieldsOf(text)), at, text);
  assert.equal(statedTimeOf("hello 2024", {}), null);
});
