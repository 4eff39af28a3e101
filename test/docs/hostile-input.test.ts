import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../harness/drover.ts";

test("every test that the page about hostile input names is there", async () => {
  const page = await readFile(join(root, "docs/edge-hostile-input.md"), "utf8");
  const sources = new Map<string, string>();
  for await (const file of glob(["src/edge/**/*.test.ts", "src/edge/router/testing/*.ts", "test/**/*.test.ts"], { cwd: root }))
    sources.set(file, await readFile(join(root, file), "utf8"));
  const files = [...page.matchAll(/`([\w./-]+\.ts)`/g)].map(([, file = ""]) => file);
  assert.ok(files.length > 20);
  for (const file of files)
    assert.ok(
      [...sources.keys()].some((path) => path === file || path.endsWith(`/${file}`)),
      `no file "${file}"`,
    );
  const all = [...sources.values()].join("\n");
  const names = [...page.matchAll(/\*([a-z][^*]+?)…?\*/gi)].map(([, name = ""]) => name).filter((name) => name.includes(" "));
  assert.ok(names.length > 30);
  for (const name of names) assert.ok(all.includes(name), `no test "${name}…"`);
});
