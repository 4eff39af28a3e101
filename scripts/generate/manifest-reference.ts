import type { JsonSchema } from "./json-schema.ts";

interface Schema {
  readonly title?: string;
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly not?: unknown;
  readonly unit?: string;
}

const introduction = `# The manifest

One YAML document (JSON is YAML too) declares one thing; the key that names it says its kind: \`app: shop\`, \`space: prod\`. \`drover apply\` takes a
file, a folder or standard input; \`drover plan\` shows what would change and changes nothing. The smallest app is two lines:

\`\`\`yaml
app: hello
run: node server.js
\`\`\`

Unknown keys are refused, with file, line, column and the nearest key. A set of manifests is at most 1 MiB; it is applied as a whole or not at all.

## Variables

\`\${NAME}\` in a value is taken from the environment file given to \`apply\`. A variable that is not given is an error, never silently empty. \`$\${\` is a
literal \`\${\`.

- Command lines (\`run\`, \`before\`) are left alone: there \`$PORT\` and \`\${PORT}\` are the shell's, which sees the app's environment.
- A variable's text is a value and never becomes structure. An unquoted value that is nothing but \`\${COUNT}\` may be a number or true/false.
- Inside \`{ … }\` and \`[ … ]\`, YAML itself needs quotes: \`{ URL: "\${URL}" }\`.

## Overlays

\`overlays\` holds, for each space, keys that replace or add to the others (JSON merge patch, RFC 7396): maps merge key by key, \`null\` takes a key away,
anything else replaces.

## By hand and by manifest

What \`drover scale\` and \`drover env\` set stays until a manifest that names the same key is applied: then the manifest wins. What it does not name stays
as it was set.
`;

/** The page of all keys, from the JSON Schema. */
export function manifestReference(schema: JsonSchema): string {
  const sections: string[] = [];
  for (const kind of (schema as Schema).anyOf ?? []) describe(`${kind.title ?? ""}`, "", kind, sections);
  return `${introduction}\n${sections.join("\n")}\nGenerated from \`src/model/manifest.ts\` by \`npm run generate\`.\n`;
}

/** A table of the keys of one map, then the maps inside it. */
function describe(title: string, prefix: string, schema: Schema, sections: string[]): void {
  const entries = Object.entries(schema.properties ?? {});
  const rows = entries.map(([key, property]) => `| \`${key}\` | ${cell(typeOf(property))} | ${cell(noteOf(key, property, schema))} |`);
  sections.push(`## ${title}\n\n| key | value | |\n| --- | --- | --- |\n${rows.join("\n")}\n`);
  for (const [key, property] of entries) {
    const inner = mapInside(property);
    // The short forms of processes.web are described there.
    if (inner === null || (prefix === "" && ["resources", "ready", "alive"].includes(key))) continue;
    describe(`\`${prefix}${key}${inner.suffix}\``, `${prefix}${key}${inner.suffix}.`, inner.schema, sections);
  }
}

function noteOf(key: string, property: Schema, parent: Schema): string {
  const isRequired = parent.required?.includes(key) === true;
  return `${isRequired ? "**Required.** " : ""}${property.description ?? ""}`.trim();
}

function typeOf(schema: Schema): string {
  if (schema.not !== undefined) return "–";
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(", ");
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeOf))].join(" or ");
  if (schema.unit === "ms") return "duration, such as `30s`";
  if (schema.unit === "bytes") return "size, such as `256MiB`";
  if (schema.unit === "share") return "share, such as `25%`";
  if (schema.type === "array") return `list of ${schema.items === undefined ? "anything" : typeOf(schema.items)}`;
  if (schema.type === "object") return schema.properties === undefined ? "map by name" : "map";
  const names: Readonly<Record<string, string>> = { string: "text", integer: "whole number", number: "number", boolean: "true or false" };
  return names[schema.type ?? ""] ?? "anything";
}

/** The map that a key leads to: itself, the entries of a list, or the values of a map by name. */
function mapInside(schema: Schema): { readonly schema: Schema; readonly suffix: string } | null {
  if (schema.properties !== undefined) return { schema, suffix: "" };
  if (schema.items?.properties !== undefined) return { schema: schema.items, suffix: "[]" };
  const values = schema.additionalProperties;
  if (typeof values === "object" && values.properties !== undefined) return { schema: values, suffix: ".<name>" };
  const alternative = schema.anyOf?.find(({ properties }) => properties !== undefined);
  return alternative === undefined ? null : { schema: alternative, suffix: "" };
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}
