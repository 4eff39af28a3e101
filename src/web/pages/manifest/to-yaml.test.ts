import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parse } from "yaml";
import { toYaml } from "./to-yaml.ts";

test("a manifest reads as a person would write it", () => {
  const manifest = {
    app: "web",
    run: "node server.js",
    instances: 2,
    env: { MODE: "true", GREETING: "hello: you", EMPTY: "" },
    routes: [{ host: "shop.localhost", path: "/" }, "plain"],
    needs: [],
  };
  assert.equal(
    toYaml(manifest),
    `app: web
run: node server.js
instances: 2
env:
  MODE: "true"
  GREETING: "hello: you"
  EMPTY: ""
routes:
  - host: shop.localhost
    path: /
  - plain
needs: []
`,
  );
});

test("whatever is written reads back as the same", () => {
  const tricky = fc.constantFrom(
    "no",
    "~",
    "0x10",
    "010",
    "1e3",
    "- a",
    "a: b",
    "#",
    "'",
    "\u0000",
    "\u2028",
    "é",
    " a",
    "a ",
    "*x",
    "&x",
    "!!js",
    "2026-01-01",
    "12:30:45",
    "<<",
    "=",
  );
  const key = fc.oneof(tricky, fc.string()).filter((name) => name !== "__proto__");
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: "small" }, tricky, fc.string(), fc.integer(), fc.boolean(), fc.constant(null), tie("list"), tie("map")),
    list: fc.array(tie("value"), { maxLength: 4 }),
    map: fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }),
  }));
  fc.assert(fc.property(value, (one) => assert.deepEqual(parse(toYaml(one)), one)));
});
