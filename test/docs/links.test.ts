import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { glob, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { root } from "../harness/drover.ts";

test("what the pages link to is there", async () => {
  const broken: string[] = [];
  for await (const page of glob(["*.md", "docs/**/*.md", "examples/**/*.md"], { cwd: root })) {
    const text = await readFile(join(root, page), "utf8");
    for (const [, target = ""] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      if (!existsSync(join(root, dirname(page), target))) broken.push(`${page}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

test("the files that the pages name are there", async () => {
  const missing: string[] = [];
  for await (const page of glob(["*.md", "docs/**/*.md"], { cwd: root })) {
    const text = await readFile(join(root, page), "utf8");
    for (const [, file = ""] of text.matchAll(/\b((?:src|test|scripts|packaging|bench)\/[\w./-]*\w)/g))
      if (!existsSync(join(root, file))) missing.push(`${page}: ${file}`);
  }
  assert.deepEqual(missing, []);
});
