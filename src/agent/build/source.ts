import { stat } from "node:fs/promises";
import { join } from "node:path";
import { readTextIfThere } from "#host/files.ts";
import { hasCode } from "#model/errors.ts";

/** Largest file that is read to find out what a source is. */
const longestFileBytes = 4 * 2 ** 20;

/** A source folder as the finders see it. */
export class Source {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  async hasFile(path: string): Promise<boolean> {
    try {
      return (await stat(join(this.folder, path))).isFile();
    } catch (error) {
      if (hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR") || hasCode(error, "ELOOP")) return false;
      throw error;
    }
  }

  /** The first of `paths` that is a file. */
  async firstFile(paths: readonly string[]): Promise<string | null> {
    for (const path of paths) if (await this.hasFile(path)) return path;
    return null;
  }

  /** The text of a file, or null if there is none. */
  async text(path: string): Promise<string | null> {
    const file = join(this.folder, path);
    if (!(await this.hasFile(path)) || (await stat(file)).size > longestFileBytes) return null;
    return readTextIfThere(file);
  }
}
