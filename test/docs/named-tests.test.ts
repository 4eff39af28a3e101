import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { root } from "../harness/drover.ts";

/** Pages that say which test shows what: files in backquotes, names in italics, of which the beginning or the end may be left out. */
const pages = { "docs/edge-hostile-input.md": 30, "docs/trust.md": 80 };

const sources = new Map<string, string>();

before(async () => {
  for await (const file of glob(["src/**/*.test.ts", "src/**/testing/*.ts", "test/**/*.test.ts"], { cwd: root }))
    sources.set(file, await readFile(join(root, file), "utf8"));
});

for (const [page, least] of Object.entries(pages))
  test(`every test that ${page} names is there`, async () => {
    const text = await readFile(join(root, page), "utf8");
    const files = [...text.matchAll(/`([\w./-]+\.ts)`/g)].map(([, file = ""]) => file);
    assert.ok(files.length > 20);
    for (const file of files)
      assert.ok(
        [...sources.keys()].some((path) => path === file || path.endsWith(`/${file}`)),
        `no file "${file}"`,
      );
    const all = [...sources.values()].join("\n");
    const names = [...text.matchAll(/(?<!\*)\*([a-z0-9][^*]+?)…?\*(?!\*)/gi)]
      .map(([, name = ""]) => name)
      .filter((name) => name.includes(" "));
    assert.ok(names.length > least, `${names.length} names`);
    for (const name of names) assert.ok(all.includes(name), `no test "${name}…"`);
  });

test("docs/trust.md has every promise and every fault, each with a test of its own file or the word that there is none", async () => {
  const text = await readFile(join(root, "docs/trust.md"), "utf8");
  const rows = [...text.matchAll(/^\| (P?\d+) \| (.*) \| (.*) \|$/gm)];
  const wanted = [...Array.from({ length: 10 }, (_, i) => `P${i + 1}`), ...Array.from({ length: 51 }, (_, i) => `${i + 1}`)];
  assert.deepEqual(
    rows.map(([, id]) => id),
    wanted,
  );
  for (const [, id, , shown = ""] of rows) {
    if (/^(\*\*none\*\*|\[)/.test(shown)) continue;
    for (const [, file = "", after = ""] of shown.matchAll(/`([\w./-]+\.ts)`: ((?:\*[^*]+\*(?:, )?)+)/g))
      for (const [, name = ""] of after.matchAll(/\*([^*]+?)…?\*/g))
        assert.ok(sources.get(file)?.includes(name), `row ${id}: ${file} has no test "${name}…"`);
    assert.match(shown, /`[\w./-]+\.ts`: \*/, `row ${id} names no test`);
  }
});
