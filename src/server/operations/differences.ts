export interface Difference {
  readonly path: string;
  readonly from: unknown;
  readonly to: unknown;
}

/** Most differences listed of one object: more is not read by anybody. */
const maxDifferences = 200;

/** Where two JSON values differ, by path, at the smallest place; null stands for nothing. */
export function differences(from: unknown, to: unknown): readonly Difference[] {
  const found: Difference[] = [];
  const compare = (a: unknown, b: unknown, path: string) => {
    if (found.length >= maxDifferences || Object.is(a, b)) return;
    if (isMap(a) && isMap(b)) {
      for (const key of [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()) {
        compare(
          Object.hasOwn(a, key) ? a[key] : undefined,
          Object.hasOwn(b, key) ? b[key] : undefined,
          path === "" ? key : `${path}.${key}`,
        );
      }
    } else if (JSON.stringify(a) !== JSON.stringify(b)) found.push({ path, from: a ?? null, to: b ?? null });
  };
  compare(from, to, "");
  return found;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
