/** What a reader of YAML takes for something else than text, or cannot take as it stands; everything else needs no quotes. */
const plain = /^[A-Za-z_./$][A-Za-z0-9_./$@%+=-]*(?: [A-Za-z0-9_./$@%+=-]+)*$/;
const words = /^(?:true|false|null|yes|no|on|off|~)$/i;

/** JSON-like values as YAML, as a person would write it: blocks for maps and lists, quotes where they are needed. */
export function toYaml(value: unknown): string {
  return isNested(value) ? `${block(value, "")}\n` : `${scalar(value)}\n`;
}

type Nested = readonly unknown[] | Readonly<Record<string, unknown>>;

function isNested(value: unknown): value is Nested {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}

function block(value: Nested, indent: string): string {
  if (Array.isArray(value))
    return value.map((item) => `${indent}- ${isNested(item) ? block(item, `${indent}  `).trimStart() : scalar(item)}`).join("\n");
  return Object.entries(value)
    .map(([key, item]) => `${indent}${text(key)}:${isNested(item) ? `\n${block(item, `${indent}  `)}` : ` ${scalar(item)}`}`)
    .join("\n");
}

function scalar(value: unknown): string {
  return typeof value === "string" ? text(value) : JSON.stringify(value);
}

function text(value: string): string {
  return plain.test(value) && !words.test(value) ? value : JSON.stringify(value);
}
