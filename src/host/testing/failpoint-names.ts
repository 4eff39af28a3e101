import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * The names of all failpoints in the sources below `folder`, sorted. Made from the sources each time, so the list is never out of date.
 * @throws {Error} if two places share a name, or a name is not a literal: a kill must say exactly where.
 */
export async function failpointNames(folder: string): Promise<readonly string[]> {
  const places = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".ts") || entry.name.endsWith(".test.ts")) continue;
    const file = join(entry.parentPath, entry.name);
    if (file.endsWith(join("host", "failpoint.ts"))) continue;
    for (const [call, name] of (await readFile(file, "utf8")).matchAll(/\bfailpoint\((?:"([^"]*)")?[^)]*\)/g)) {
      if (name === undefined || !/^[a-z0-9]+(?:[.-][a-z0-9]+)*$/.test(name))
        throw new Error(`${file}: ${call} has no literal, dotted name`);
      const earlier = places.get(name);
      if (earlier !== undefined) throw new Error(`failpoint "${name}" is in ${earlier} and again in ${file}`);
      places.set(name, file);
    }
  }
  return [...places.keys()].sort();
}
