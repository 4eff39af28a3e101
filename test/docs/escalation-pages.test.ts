import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { DroverError } from "#model/errors.ts";
import { commandTable } from "../../src/cli/command-table.ts";
import { ladderProblems } from "../../src/server/manifests/ladder-documents.ts";
import { throwProblems } from "../../src/server/manifests/problems.ts";
import { readManifests } from "../../src/server/manifests/read-manifests.ts";
import { root } from "../harness/drover.ts";

const pages = ["docs/escalator.md", "docs/guides/escalations.md"];

function blocks(markdown: string, language: string): readonly string[] {
  return [...markdown.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(([, text = ""]) => text);
}

for (const page of pages)
  test(`every manifest that ${page} shows can be applied`, async () => {
    const shown = blocks(await readFile(join(root, page), "utf8"), "yaml");
    assert.ok(shown.length > 0);
    for (const text of shown) {
      try {
        throwProblems(ladderProblems(readManifests({ documents: [{ file: page, text }], variables: {} }), null, []));
      } catch (error) {
        const why = error instanceof DroverError ? JSON.stringify(error.details, null, 2) : String(error);
        assert.fail(`${text}\n${why}`);
      }
    }
  });

test("the space of examples/fleet can be applied, with the values that its page and the test hosts give", async () => {
  const folder = join(root, "examples/fleet");
  const page = await readFile(join(folder, "README.md"), "utf8");
  const values = /^cat >hosts\.env <<'END'\n(.*?)^END$/ms.exec(page)?.[1] ?? "";
  const variables = Object.fromEntries([...values.matchAll(/^([A-Z0-9]+)=(\S+)/gm)].map(([, name = "", value = ""]) => [name, value]));
  const documents = [{ file: "drover.yaml", text: await readFile(join(folder, "drover.yaml"), "utf8") }];
  const declared = readManifests({ documents, variables });
  throwProblems(ladderProblems(declared, null, []));
  assert.deepEqual(
    declared.pools.map(({ manifest }) => manifest.machines.min),
    [3],
  );
  const levels = declared.ladder?.manifest.levels.map(({ name }) => name) ?? [];
  for (const level of levels) assert.ok(page.includes(level), `the page says nothing of level "${level}"`);
});

test("every command that the guide shows is one", async () => {
  const shown = blocks(await readFile(join(root, "docs/guides/escalations.md"), "utf8"), "sh").flatMap((block) => block.trim().split("\n"));
  assert.ok(shown.length > 8);
  for (const line of shown) {
    const [program, noun = "", verb = ""] = line.split(" ");
    assert.equal(program, "drover", line);
    const command = await commandTable[noun]?.load();
    assert.ok(command !== undefined, line);
    if ("verbs" in command.default) assert.ok(Object.hasOwn(command.default.verbs, verb), line);
  }
});
