/** As much of JSON Schema as the manifest's uses to say which keys there are. */
export interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly description?: string;
  readonly type?: string;
}

export interface KnownKey {
  readonly name: string;
  readonly description: string;
}

/** The keys that may stand at a path; `-` in it is an item of a list. */
export function keysAt(schema: Schema, path: readonly string[]): readonly KnownKey[] {
  const found = new Map<string, string>();
  for (const place of placesAt(schema, path))
    for (const [name, { description = "" }] of Object.entries(place.properties ?? {})) found.set(name, found.get(name) || description);
  return [...found].map(([name, description]) => ({ name, description }));
}

/** The values that may stand at a path, where the schema lists them. */
export function valuesAt(schema: Schema, path: readonly string[]): readonly string[] {
  const listed = placesAt(schema, path).flatMap((place) => {
    if (place.type === "boolean") return ["true", "false"];
    return place.const === undefined ? (place.enum ?? []) : [place.const];
  });
  return [...new Set(listed.map(String))];
}

function placesAt(schema: Schema, path: readonly string[]): readonly Schema[] {
  const here = [schema, ...(schema.anyOf ?? []).flatMap((one) => placesAt(one, []))];
  const [key, ...rest] = path;
  if (key === undefined) return here;
  return here.flatMap((place) => {
    const next =
      key === "-" ? place.items : Object.hasOwn(place.properties ?? {}, key) ? place.properties?.[key] : place.additionalProperties;
    return typeof next === "object" ? placesAt(next, rest) : [];
  });
}

/** Where the end of `text` is, judged by indentation: keys from the top of its document, `-` for an item of a list. */
export function pathAtEnd(text: string): readonly string[] {
  const lines = (text.split(/^---.*$/m).at(-1) ?? "").split("\n");
  const last = lines.at(-1) ?? "";
  const path: string[] = [];
  let indent = columnOf(last);
  /** The items that a line begins stand to the left of its key. */
  const enterItemsOf = (line: string) => {
    for (const dash of [...line.slice(0, columnOf(line)).matchAll(/- /g)].reverse()) {
      path.unshift("-");
      indent = dash.index;
    }
  };
  enterItemsOf(last);
  for (const line of lines.slice(0, -1).reverse()) {
    const key = /^[\s-]*(?<key>[^\s#:'"][^:]*|"[^"]*"):(?:\s|$)/.exec(line)?.groups?.["key"];
    const column = columnOf(line);
    if (key === undefined || column > indent) continue;
    const beginsItem = line.trimStart().startsWith("- ");
    // A list may stand as far to the left as the key that it belongs to; else what stands beside is no parent.
    if (column < indent || (path[0] === "-" && !beginsItem)) {
      path.unshift(key.replaceAll('"', ""));
      indent = column;
      enterItemsOf(line);
      if (indent === 0 && path[0] !== "-") break;
    } else if (beginsItem) enterItemsOf(line);
  }
  return path;
}

/** The column of a line's first key, behind the dashes that begin items. */
function columnOf(line: string): number {
  return /^\s*(?:- +)*/.exec(line)?.[0].length ?? 0;
}
