import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { glob, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { root } from "../harness/drover.ts";

/** As the headings of a page are linked to: lower case, without marks and punctuation. */
function anchorsOf(text: string): ReadonlySet<string> {
  const headings = text.replaceAll(/^```.*?^```/gms, "").matchAll(/^#+ (.*)$/gm);
  const plain = (heading: string) => heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "");
  return new Set([...headings].map(([, heading = ""]) => plain(heading.trim()).replaceAll(" ", "-")));
}

test("what the pages link to is there, with its heading", async () => {
  const broken: string[] = [];
  for await (const page of glob(["*.md", "docs/**/*.md", "examples/**/*.md", "bench/*.md"], { cwd: root })) {
    const text = await readFile(join(root, page), "utf8");
    for (const [, target = "", anchor = ""] of text.matchAll(/\]\(([^)#\s]*)(?:#([^)]*))?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const file = target === "" ? join(root, page) : join(root, dirname(page), target);
      if (!existsSync(file)) broken.push(`${page}: ${target}`);
      else if (anchor !== "" && !anchorsOf(await readFile(file, "utf8")).has(anchor)) broken.push(`${page}: ${target}#${anchor}`);
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
