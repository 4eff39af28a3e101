import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { conditions, describeCondition, knownCode } from "./conditions.ts";
import { errorCodes } from "./errors.ts";

test("every condition of the catalogue is one that some program tells", async () => {
  // The other way round is the compiler's: a reason's code has the type of the catalogue.
  const source = join(import.meta.dirname, "..");
  let told = "";
  for await (const file of glob("{agent,edge,server,plan}/**/*.ts", { cwd: source }))
    if (!file.endsWith(".test.ts") && !file.includes("/testing/")) told += await readFile(join(source, file), "utf8");
  for (const code of Object.keys(conditions)) assert.ok(told.includes(`"${code}"`), `nobody tells ${code}`);
});

test("each says in whole sentences where it comes from and what to do", () => {
  for (const [code, { cause, remedy }] of Object.entries(conditions))
    for (const text of [cause, remedy]) assert.match(text, /^[A-Z`].*\.$/, `${code}: ${text}`);
});

test("an error's code is explained too, and what a newer program says is told as what is known of it", () => {
  for (const code of Object.keys(errorCodes)) assert.notEqual(describeCondition(code), null, code);
  assert.equal(describeCondition("constructor"), null);
  assert.deepEqual(
    [knownCode("PORT_IN_USE", "EDGE_INCOMPLETE"), knownCode("NOVEL", "EDGE_INCOMPLETE")],
    ["PORT_IN_USE", "EDGE_INCOMPLETE"],
  );
});
