import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { DroverError } from "#model/errors.ts";
import type { Digest } from "#model/names.ts";
import { PathRules } from "./path-rules.ts";

/** One thing in a tree, without what differs from one unpacking to the next: times, owners, exact modes. */
export type TreeEntry =
  | { readonly kind: "folder"; readonly path: string }
  | {
      readonly kind: "file";
      readonly path: string;
      readonly isExecutable: boolean;
      readonly sizeBytes: number;
      /** SHA-256 of the content in hex. */
      readonly sha256: string;
    }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

/** A folder's content, sorted by path. */
export type Tree = readonly TreeEntry[];

export interface TreeLimits {
  readonly contentBytes: number;
  readonly files: number;
}

export function sortTree(entries: readonly TreeEntry[]): Tree {
  // By code unit and not by language, so that every machine sorts alike.
  return [...entries].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** The digest of a tree: SHA-256 over one line of JSON for each entry, sorted by path. Two equal trees have it in common on every machine. */
export function treeDigest(tree: Tree): Digest {
  const hash = createHash("sha256").update("drover tree 1\n");
  for (const entry of tree) hash.update(`${JSON.stringify(canonical(entry))}\n`);
  return `sha256:${hash.digest("hex")}` as Digest;
}

function canonical(entry: TreeEntry): readonly (string | number | boolean)[] {
  switch (entry.kind) {
    case "folder":
      return ["folder", entry.path];
    case "file":
      return ["file", entry.path, entry.isExecutable, entry.sizeBytes, entry.sha256];
    case "link":
      return ["link", entry.path, entry.target];
    default:
      return entry satisfies never;
  }
}

export function treeSizeBytes(tree: Tree): number {
  let bytes = 0;
  for (const entry of tree) if (entry.kind === "file") bytes += entry.sizeBytes;
  return bytes;
}

/**
 * Reads the tree in `folder`, under the same rules as an archive's.
 * @throws {DroverError} ARCHIVE_UNSAFE for links that lead outside and for what is no file, folder or link; BUILD_LIMIT over `limits`.
 */
export async function readTree(folder: string, limits: TreeLimits, signal: AbortSignal): Promise<Tree> {
  const rules = new PathRules();
  const entries: TreeEntry[] = [];
  let bytes = 0;
  const visit = async (relative: string): Promise<void> => {
    for (const item of await readdir(join(folder, relative), { withFileTypes: true })) {
      signal.throwIfAborted();
      const path = relative === "" ? item.name : `${relative}/${item.name}`;
      const full = join(folder, path);
      if (entries.length >= limits.files)
        throw new DroverError("BUILD_LIMIT", `the result has more than ${limits.files} files`, {
          hint: "Remove in the build what the app does not need to run.",
        });
      if (item.isDirectory()) {
        rules.addFolder(path);
        entries.push({ kind: "folder", path });
        await visit(path);
      } else if (item.isSymbolicLink()) {
        const target = await readlink(full);
        rules.addLink(path, target);
        entries.push({ kind: "link", path, target });
      } else if (item.isFile()) {
        rules.addFile(path);
        const { size, mode } = await lstat(full);
        bytes += size;
        if (bytes > limits.contentBytes)
          throw new DroverError("BUILD_LIMIT", `the result is larger than ${limits.contentBytes} bytes`, {
            hint: "Remove in the build what the app does not need to run.",
          });
        entries.push({ kind: "file", path, isExecutable: (mode & 0o111) !== 0, sizeBytes: size, sha256: await hashFile(full, signal) });
      } else {
        throw new DroverError("ARCHIVE_UNSAFE", `${JSON.stringify(path)} is a device, socket or FIFO`, {
          hint: "An artifact holds files, folders and links only.",
        });
      }
    }
  };
  await visit("");
  rules.checkLinks();
  return sortTree(entries);
}

async function hashFile(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { signal, highWaterMark: 2 ** 18 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
