/** One step of a path: `.name`, `["name"]` or `[0]`. */
const step = /\.([A-Za-z_][A-Za-z0-9_-]*)|\[(\d{1,6})\]|\["((?:[^"\\]|\\.)*)"\]/y;

/** The names and indexes of a path such as `$.items[0].state` (RFC 9535's normalized paths and their short form); null if it is none. */
export function readJsonPath(path: string): readonly (string | number)[] | null {
  if (!path.startsWith("$")) return null;
  const steps: (string | number)[] = [];
  step.lastIndex = 1;
  while (step.lastIndex < path.length) {
    const match = step.exec(path);
    if (match === null) return null;
    const [, name, index, quoted] = match;
    steps.push(name ?? (index === undefined ? (JSON.parse(`"${quoted}"`) as string) : Number(index)));
  }
  return steps;
}

/** What stands at the path; undefined if nothing does. */
export function valueAt(value: unknown, path: string): unknown {
  let found = value;
  for (const key of readJsonPath(path) ?? [path]) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string | number, unknown>)[key];
  }
  return found;
}
