import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { glob, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { root } from "../harness/drover.ts";

test("what the pages link to is there", async () => {
  const broken: string[] = [];
  for await (const page of glob(["*.md", "docs/**/*.md", "examples/**/*.md", "bench/*.md"], { cwd: root })) {
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

test("each bench has a row in their README, and each decision its title in the index", async () => {
  const benches = await readFile(join(root, "bench/README.md"), "utf8");
  const index = await readFile(join(root, "docs/decisions/README.md"), "utf8");
  const missing: string[] = [];
  for await (const file of glob("*.ts", { cwd: join(root, "bench") }))
    if (file !== "lib.ts" && !benches.includes(`](${file})`)) missing.push(`bench/${file}`);
  for await (const file of glob("0*.md", { cwd: join(root, "docs/decisions") })) {
    const [, number = "", title = ""] = /^# (\d+)\. (.*)/.exec(await readFile(join(root, "docs/decisions", file), "utf8")) ?? [];
    if (!index.includes(`\n${number}. [${title}](${file})`)) missing.push(`${file}: ${number}. ${title}`);
  }
  assert.deepEqual(missing, []);
});
