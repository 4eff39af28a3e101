import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { lstat, readdir, realpath } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { readTextIfThere } from "#host/files.ts";
import type { Home } from "#host/home.ts";
import { hasCode } from "#model/errors.ts";
import { isRecord, isText, parseJson } from "#model/shape.ts";

/**
 * Where versions of Drover lie on this machine: `parts/`, `versions/`, and links `current` and `before` to two of them. It is the folder that `drover machine add`
 * makes (/opt/drover; src/ssh/host.sh has the same layout), or one in the home where Drover was installed by hand, whose own folder is never written to.
 */
export function programsFolder(root: string, home: Pick<Home, "root">): string {
  const versions = dirname(root);
  const isManaged = basename(versions) === "versions" && existsSync(join(dirname(versions), "parts"));
  return isManaged ? dirname(versions) : join(home.root, "programs");
}

/** The version that a folder of programs is; null: it was installed by hand. */
export function versionOf(folder: string, root: string): string | null {
  return dirname(root) === join(folder, "versions") ? basename(root) : null;
}

/** The pinned Node by a path that stays when the version changes: apps have it in their PATH, and outlive the version that they were started by. */
export function lastingPath(folder: string, root: string, file: string): string {
  return versionOf(folder, root) === null ? file : join(folder, "current", relative(root, file));
}

const overFile = (folder: string) => join(folder, "over.json");

/** What was installed by hand, and how it was when the machine went over to another version. */
interface Over {
  readonly root: string;
  readonly stamp: string;
}

/**
 * The programs that an agent goes on as which was started from `root`; null: as it is. What was installed by hand gives way to the version that the machine went
 * over to later, and counts again as soon as somebody has changed it, such as with `git pull`.
 */
export async function successorOf(root: string, home: Pick<Home, "root">): Promise<string | null> {
  const folder = programsFolder(root, home);
  if (versionOf(folder, root) !== null) return null;
  const over = await readOver(folder);
  if (over === null || over.root !== root) return null;
  const current = await realpath(join(folder, "current")).catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) return null;
    throw error;
  });
  if (current === null || current === root) return null;
  return over.stamp === (await stampOf(root)) ? current : null;
}

/** What to write down when the machine goes over to another version. @returns null where nothing was installed by hand */
export async function overOf(folder: string, root: string): Promise<{ readonly file: string; readonly text: string } | null> {
  const byHand = versionOf(folder, root) === null ? root : ((await readOver(folder))?.root ?? null);
  if (byHand === null || !existsSync(byHand)) return null;
  return { file: overFile(folder), text: `${JSON.stringify({ root: byHand, stamp: await stampOf(byHand) } satisfies Over)}\n` };
}

async function readOver(folder: string): Promise<Over | null> {
  const read = parseJson((await readTextIfThere(overFile(folder))) ?? "");
  return isRecord(read) && isText(read["root"]) && isText(read["stamp"]) ? { root: read["root"], stamp: read["stamp"] } : null;
}

/** Changes when any of the programs in a folder does, by what the file system says of them. */
async function stampOf(root: string): Promise<string> {
  const hash = createHash("sha256");
  const walk = async (path: string): Promise<void> => {
    const stats = await lstat(path);
    if (!stats.isDirectory()) return void hash.update(JSON.stringify([path, stats.size, stats.mtimeMs]));
    for (const name of (await readdir(path)).sort()) await walk(join(path, name));
  };
  for (const name of ["bin", "package.json", "package-lock.json", "src"]) if (existsSync(join(root, name))) await walk(join(root, name));
  return hash.digest("hex");
}
