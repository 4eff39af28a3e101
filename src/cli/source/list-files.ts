import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import type { Ignore } from "ignore";
import { DroverError, hasCode } from "#model/errors.ts";

/** One thing that goes into a source archive. Paths are relative, with "/". */
export type SourceEntry =
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "file"; readonly path: string; readonly sizeBytes: number; readonly isExecutable: boolean }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

export interface SourceLimits {
  readonly sourceBytes: number;
  readonly files: number;
  /** Absolute paths of files that are no part of the source. Default: none. */
  readonly leaveOut?: readonly string[];
}

/** Never part of a source: the history of it, which is large and would make every commit another input. */
const neverPacked: ReadonlySet<string> = new Set([".git", ".hg", ".svn"]);
/** Later ones win over earlier ones in the same folder. */
const ruleFiles = [".gitignore", ".droverignore"] as const;
/** An ignore file longer than this is none. */
const longestRules = 2 ** 20;

interface Rules {
  /** Folder of the file with the rules, with a slash at its end, or empty for the top. */
  readonly base: string;
  readonly ignore: Ignore;
}

/**
 * What a folder's source is: its files by the rules of `.gitignore` and `.droverignore` in it and in the folders below (deeper files win, as in git;
 * but what an outer one says of a folder holds for all below it), sorted, links as links. Sockets, devices and pipes are no source and are left out.
 * @throws {DroverError} USAGE if there is no such folder, BUILD_LIMIT if it holds too much
 */
export async function listFiles(folder: string, limits: SourceLimits, signal: AbortSignal): Promise<readonly SourceEntry[]> {
  const { default: createIgnore } = await import("ignore");
  const entries: SourceEntry[] = [];
  const leftOut = new Set(limits.leaveOut?.map((path) => relative(folder, path).split(sep).join("/")));
  let bytes = 0;

  const walk = async (at: string, inherited: readonly Rules[]): Promise<void> => {
    signal.throwIfAborted();
    const texts = await Promise.all(ruleFiles.map((file) => readRules(join(folder, at, file))));
    const own = texts.filter((text) => text !== null);
    const rules = own.length === 0 ? inherited : [...inherited, { base: at, ignore: createIgnore().add(own.join("\n")) }];
    // By code unit and not by language, so that every machine sorts alike.
    for (const name of (await readdir(join(folder, at))).sort()) {
      if (neverPacked.has(name)) continue;
      const path = at + name;
      if (leftOut.has(path)) continue;
      const stats = await lstat(join(folder, path));
      if (isIgnored(rules, stats.isDirectory() ? `${path}/` : path)) continue;
      if (stats.isDirectory()) {
        entries.push({ kind: "folder", path });
        await walk(`${path}/`, rules);
      } else if (stats.isSymbolicLink()) {
        entries.push({ kind: "link", path, target: await readlink(join(folder, path)) });
      } else if (stats.isFile()) {
        bytes += stats.size;
        entries.push({ kind: "file", path, sizeBytes: stats.size, isExecutable: (stats.mode & 0o100) !== 0 });
      }
      if (bytes > limits.sourceBytes) throw tooMuch(folder, `more than ${Math.round(limits.sourceBytes / 2 ** 20)} MiB`);
      if (entries.length > limits.files) throw tooMuch(folder, `more than ${limits.files} files`);
    }
  };

  try {
    await walk("", []);
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR")) {
      throw new DroverError("USAGE", `cannot read the source "${folder}"`, { cause: error, hint: "Name a folder that exists." });
    }
    throw error;
  }
  return entries;
}

function isIgnored(rules: readonly Rules[], path: string): boolean {
  let ignored = false;
  for (const { base, ignore } of rules) {
    const verdict = ignore.test(path.slice(base.length));
    if (verdict.ignored) ignored = true;
    else if (verdict.unignored) ignored = false;
  }
  return ignored;
}

async function readRules(file: string): Promise<string | null> {
  try {
    if ((await lstat(file)).size > longestRules) return null;
    return await readFile(file, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "EISDIR")) return null;
    throw error;
  }
}

function tooMuch(folder: string, what: string): DroverError {
  return new DroverError("BUILD_LIMIT", `the source "${folder}" holds ${what}`, {
    hint: 'Name what is not needed (built files, data, dependencies) in a ".droverignore".',
  });
}
