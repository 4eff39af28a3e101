import assert from "node:assert/strict";
import { test } from "node:test";
import { visibleText } from "./visible-text.ts";

test("colours of an app's output go, and what else a terminal would act on is seen", () => {
  assert.equal(visibleText("\u001b[1;31merror\u001b[0m: no"), "error: no");
  assert.equal(visibleText("\u001b]52;c;ZXZpbA==\u0007"), "␛]52;c;ZXZpbA==␇");
  assert.equal(visibleText("a\rb\u009bc\u007f"), "a␍b\\u009bc␡");
});

test("nothing turns the direction of what follows, and marks do not pile up over other lines", () => {
  assert.equal(visibleText("user\u202etxt.exe"), "user\\u202etxt.exe");
  assert.equal(visibleText(`e${"\u0301".repeat(1_000)}x`), `e${"\u0301".repeat(4)}x`);
});

test("markup is text as it stands, tabs stay, and a line without an end is cut", () => {
  assert.equal(visibleText("<img src=x onerror=alert(1)>\t&amp;"), "<img src=x onerror=alert(1)>\t&amp;");
  assert.equal(visibleText("a".repeat(6_000)), `${"a".repeat(5_000)}… (1000 more characters)`);
});
