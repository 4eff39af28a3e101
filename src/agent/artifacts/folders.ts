import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, copyFile, lchown, lstat, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasCode } from "#model/errors.ts";
import type { Tree } from "./tree.ts";

/** Above so many files one sync of the whole file system is cheaper than one of each. */
const mostSingleSyncs = 256;

/**
 * Makes a tree read-only and ours: files 0444 or 0555, folders 0555, nothing set-uid, readable by every app's user. The top folder stays
 * writable for its owner, because one that is not cannot be renamed without root.
 */
export async function sealTree(folder: string, tree: Tree): Promise<void> {
  const owner = process.geteuid?.() === 0 ? 0 : null;
  for (const entry of tree) {
    const path = join(folder, entry.path);
    if (entry.kind === "file") {
      await unshare(path);
      if (owner !== null) await chown(path, owner, owner);
      await chmod(path, entry.isExecutable ? 0o555 : 0o444);
    } else if (entry.kind === "link" && owner !== null) await lchown(path, owner, owner);
  }
  // From the inside out, since a closed folder could not be entered by an owner other than root.
  for (const entry of tree.toReversed()) {
    if (entry.kind !== "folder") continue;
    const path = join(folder, entry.path);
    if (owner !== null) await chown(path, owner, owner);
    await chmod(path, 0o555);
  }
  if (owner !== null) await chown(folder, owner, owner);
  await chmod(folder, 0o755);
}

/** Gives a file that has other names, perhaps outside of the tree, an inode of its own. */
async function unshare(path: string): Promise<void> {
  if ((await lstat(path)).nlink === 1) return;
  const copy = join(dirname(path), `.drover-copy-${process.pid}`);
  await copyFile(path, copy);
  await rename(copy, path);
}

/** Brings a whole tree to the disk. */
export async function syncTree(folder: string, tree: Tree): Promise<void> {
  const files = tree.filter((entry) => entry.kind !== "link");
  if (files.length > mostSingleSyncs && (await syncFileSystem(folder))) return;
  for (const entry of files) {
    await using handle = await open(join(folder, entry.path), "r");
    await handle.sync();
  }
  await using top = await open(folder, "r");
  await top.sync();
}

/** `sync -f`, which Node has no call for. False where there is no such command. */
async function syncFileSystem(folder: string): Promise<boolean> {
  const sync = spawn("sync", ["-f", "--", folder], { stdio: "ignore" });
  try {
    const [code] = await once(sync, "exit");
    return code === 0;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}

/** Removes a folder with everything in it, read-only folders included. Fine if it is not there. */
export async function removeFolder(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    if (!hasCode(error, "EACCES") && !hasCode(error, "EPERM") && !hasCode(error, "ENOTEMPTY")) throw error;
    await openFolders(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function openFolders(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  for (const item of await readdir(folder, { withFileTypes: true })) if (item.isDirectory()) await openFolders(join(folder, item.name));
}
