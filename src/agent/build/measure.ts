import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "#model/errors.ts";

/** What lies in a folder that others are writing to. Stops counting once over `enough`. */
export async function measureFolder(
  folder: string,
  enough: { readonly bytes: number; readonly files: number },
): Promise<{ readonly bytes: number; readonly files: number }> {
  let bytes = 0;
  let files = 0;
  const todo = [folder];
  for (let next = todo.pop(); next !== undefined && bytes <= enough.bytes && files <= enough.files; next = todo.pop()) {
    try {
      for (const item of await readdir(next, { withFileTypes: true })) {
        files++;
        const path = join(next, item.name);
        if (item.isDirectory()) todo.push(path);
        // Blocks and not length: a file may have holes.
        else if (item.isFile()) bytes += (await lstat(path)).blocks * 512;
      }
    } catch (error) {
      // Removed, or replaced by something else, since its parent was read.
      if (!hasCode(error, "ENOENT") && !hasCode(error, "ENOTDIR")) throw error;
    }
  }
  return { bytes, files };
}
