import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { DroverError, hasCode } from "#model/errors.ts";
import type { Session } from "./command.ts";
import { readInput } from "./prompt.ts";

export interface DocumentFile {
  readonly file: string;
  readonly text: string;
}

/** More text than this is no set of manifests; the server's own bound is lower, and says what to do. */
const longestBytes = 16 * 2 ** 20;
const isManifest = /\.ya?ml$/;

/**
 * The manifests that paths name: a file, the `*.yaml` and `*.yml` of a folder, or `-` for standard input.
 * @throws {DroverError} USAGE, BODY_TOO_LARGE
 */
export async function readDocuments(session: Session, paths: readonly string[]): Promise<readonly DocumentFile[]> {
  const documents: DocumentFile[] = [];
  let bytes = 0;
  const add = (file: string, text: string) => {
    bytes += text.length;
    if (bytes > longestBytes) {
      throw new DroverError("BODY_TOO_LARGE", `the manifests are over ${longestBytes / 2 ** 20} MiB`, { hint: "Apply them in parts." });
    }
    documents.push({ file, text });
    session.sources.set(file, text);
  };
  for (const path of new Set(paths)) {
    if (path === "-") add("-", (await readInput(session, longestBytes, "the manifest")).toString("utf8"));
    else for (const file of await manifestFiles(path)) add(file, await readManifest(file));
  }
  return documents;
}

async function manifestFiles(path: string): Promise<readonly string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
  } catch (error) {
    if (!hasCode(error, "ENOENT") && !hasCode(error, "ENOTDIR")) throw error;
    throw new DroverError("USAGE", `there is no file or folder "${path}"`, {
      hint: 'Name a manifest, a folder with manifests, or "-" for standard input.',
    });
  }
  const files = (await readdir(path)).filter((name) => isManifest.test(name)).sort();
  if (files.length === 0) {
    throw new DroverError("USAGE", `the folder "${path}" has no manifest (*.yaml)`, {
      hint: 'Write one with "drover init", or run the folder with "drover push".',
    });
  }
  return files.map((name) => join(path, name));
}

async function readManifest(file: string): Promise<string> {
  const { size } = await stat(file);
  if (size > longestBytes) {
    throw new DroverError("BODY_TOO_LARGE", `"${file}" is over ${longestBytes / 2 ** 20} MiB`, {
      hint: "A manifest is text of a few kilobytes.",
    });
  }
  return readFile(file, "utf8");
}

/** Longest file of variables: a megabyte is many thousands of them. */
const longestVariables = 2 ** 20;

/** `NAME=value` lines of an environment file, for `${NAME}` in manifests. @throws {DroverError} USAGE */
export async function readVariables(file: string | undefined): Promise<Readonly<Record<string, string>>> {
  if (file === undefined) return {};
  try {
    if ((await stat(file)).size > longestVariables) throw new DroverError("BODY_TOO_LARGE", `"${file}" is over 1 MiB`);
    const { parseEnv } = process.getBuiltinModule("node:util");
    return Object.fromEntries(Object.entries(parseEnv(await readFile(file, "utf8"))).map(([name, value]) => [name, value ?? ""]));
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
    throw new DroverError("USAGE", `there is no environment file "${file}"`, { cause: error, hint: "Give a file with lines NAME=value." });
  }
}
