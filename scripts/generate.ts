// Writes what follows from the schemas: OpenAPI, the JSON Schema for editors, and the reference pages. With --check it writes nothing and
// fails when one of them is stale.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasCode } from "#model/errors.ts";
import { accessReference } from "./generate/access-reference.ts";
import { conditionReference } from "./generate/condition-reference.ts";
import { grafanaDashboards } from "./generate/dashboards.ts";
import { errorReference } from "./generate/error-reference.ts";
import { manifestReference } from "./generate/manifest-reference.ts";
import { manifestSchema } from "./generate/manifest-schema.ts";
import { metricsReference } from "./generate/metrics-reference.ts";
import { openApi } from "./generate/openapi.ts";

const root = join(import.meta.dirname, "..");
const pretty = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
const files: Readonly<Record<string, string>> = {
  "docs/openapi.json": pretty(openApi()),
  "docs/manifest.schema.json": pretty(manifestSchema()),
  "docs/reference/manifest.md": manifestReference(manifestSchema()),
  "docs/reference/access.md": accessReference(),
  "docs/reference/conditions.md": conditionReference(),
  "docs/reference/errors.md": errorReference(),
  "docs/reference/metrics.md": metricsReference(),
  ...grafanaDashboards(),
};

const isCheck = process.argv.includes("--check");
let stale = 0;
for (const [name, content] of Object.entries(files)) {
  const file = join(root, name);
  const there = await readFile(file, "utf8").catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) return null;
    throw error;
  });
  if (there === content) continue;
  stale++;
  if (isCheck) {
    console.error(`error: ${name} is stale`);
    continue;
  }
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
  console.error(`generated: ${name}`);
}
if (isCheck && stale > 0) {
  console.error("hint:  Run `npm run generate` and commit what it writes.");
  process.exit(1);
}
