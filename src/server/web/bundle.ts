import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { readTextIfThere } from "#host/files.ts";
import { DroverError, hasCode } from "#model/errors.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const program = fileURLToPath(new URL("build.ts", import.meta.url));
/** What the pages are made from. */
const sources = ["src/web", "src/model", "src/server/web/build.ts", "package-lock.json"];
/** A bundle takes half a second; on a machine that is busy with everything else, some more. */
const buildMs = 60_000;

export interface BundledFile {
  /** Media type. */
  readonly type: string;
}

/** What `build.ts` leaves beside the files, as `index.json`. */
export interface BundleIndex {
  readonly script: string;
  readonly style: string;
  readonly icon: string;
  /** By name; of each there is a `.gz` too. */
  readonly files: Readonly<Record<string, BundledFile>>;
}

export interface Bundle extends BundleIndex {
  readonly folder: string;
}

/**
 * The pages' files, bundled from the sources that this server runs from, into `folder`/<digest of the sources>. Bundles once for each state of the
 * sources, in a process of its own, so that the server keeps nothing of the bundler in memory.
 * @throws {DroverError} WEB_UI_UNAVAILABLE
 */
export async function openBundle(folder: string, signal: AbortSignal): Promise<Bundle> {
  const digest = await digestOf(sources);
  const target = join(folder, digest);
  const index = (await readIndex(target)) ?? (await build(folder, target, signal));
  return { ...index, folder: target };
}

async function build(folder: string, target: string, signal: AbortSignal): Promise<BundleIndex> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = await mkdtemp(join(folder, ".building-"));
  try {
    await promisify(execFile)(process.execPath, [program, temporary], { cwd: root, timeout: buildMs, signal });
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    signal.throwIfAborted();
    const isThere = await readIndex(target);
    // Another server of the same sources was faster.
    if (isThere !== null) return isThere;
    throw new DroverError("WEB_UI_UNAVAILABLE", "the pages of the web UI could not be bundled", {
      cause: error,
      hint: "Run `npm ci --ignore-scripts` in the folder of Drover, and look at the server's log.",
    });
  }
  for (const name of await readdir(folder))
    if (join(folder, name) !== target) await rm(join(folder, name), { recursive: true, force: true });
  const index = await readIndex(target);
  if (index === null) throw new Error("a bundle was built without an index");
  return index;
}

async function readIndex(folder: string): Promise<BundleIndex | null> {
  const text = await readTextIfThere(join(folder, "index.json"));
  return text === null ? null : (JSON.parse(text) as BundleIndex);
}

async function digestOf(paths: readonly string[]): Promise<string> {
  const digest = createHash("sha256");
  for (const path of paths) {
    for (const file of await filesOf(path)) digest.update(`${file}\n`).update(await readFile(join(root, file)));
  }
  return digest.digest("hex").slice(0, 16);
}

/** The files below a folder, by path; or the file itself. */
async function filesOf(path: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(join(root, path), { withFileTypes: true, recursive: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
      .sort();
  } catch (error) {
    if (hasCode(error, "ENOTDIR")) return [path];
    throw error;
  }
}
