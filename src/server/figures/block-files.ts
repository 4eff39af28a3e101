import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "#host/files.ts";
import { errorFields } from "#host/log.ts";
import { hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { type BlockBuilder, type ChunkEntry, DamagedBlock, type Directory, readDirectory, readTail, tailBytes } from "./block.ts";

/** A block on disk. */
export interface Block extends Directory {
  readonly file: string;
  readonly sizeBytes: number;
  readonly fromMs: number;
  readonly toMs: number;
}

const nameOf = (id: number) => `${String(id).padStart(10, "0")}.block`;
const isBlock = (name: string) => /^\d{10}\.block$/.test(name);
const isTemporary = (name: string) => name.endsWith(".tmp");

/** All blocks of a folder; what is damaged is named in the log and left out, and what a later block stands for goes. */
export async function openBlocks(folder: string, log: Log): Promise<{ readonly blocks: Block[]; readonly damaged: readonly string[] }> {
  const found: Block[] = [];
  const damaged: string[] = [];
  const names = (await readdir(folder)).sort();
  for (const name of names) {
    const file = join(folder, name);
    if (isTemporary(name)) await rm(file, { force: true });
    if (!isBlock(name)) continue;
    try {
      found.push(await openBlock(file));
    } catch (error) {
      // A disk that cannot read it any more keeps no server from starting.
      if (!(error instanceof DamagedBlock || hasCode(error, "EIO"))) throw error;
      log.warn("a block of figures is damaged and left out", { file, ...errorFields(error) });
      damaged.push(file);
    }
  }
  const replaced = new Set(found.flatMap(({ sources }) => sources));
  for (const block of found) if (replaced.has(block.id)) await rm(block.file, { force: true });
  return { blocks: found.filter(({ id }) => !replaced.has(id)), damaged };
}

async function openBlock(file: string): Promise<Block> {
  await using handle = await open(file, "r");
  const { size } = await handle.stat();
  const read = async (offset: number, length: number) => {
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await handle.read(bytes, 0, length, offset);
    return bytes.subarray(0, bytesRead);
  };
  const tail = readTail(await read(Math.max(0, size - tailBytes), tailBytes), size);
  return blockOf(file, size, readDirectory(await read(tail.offset, tail.length), tail.crc));
}

/** @param id higher than that of every block before it */
export async function writeBlock(folder: string, builder: BlockBuilder): Promise<Block> {
  const { directory, bytes } = builder.finish();
  const file = join(folder, nameOf(directory.id));
  await writeFileAtomic(file, bytes);
  return blockOf(file, bytes.length, directory);
}

function blockOf(file: string, sizeBytes: number, directory: Directory): Block {
  const { times } = directory;
  return { ...directory, file, sizeBytes, fromMs: times[0] ?? 0, toMs: times.at(-1) ?? 0 };
}

/** The packed bytes of these chunks; null if the block went meanwhile, because it was too old. */
export async function readChunks(block: Block, chunks: readonly ChunkEntry[]): Promise<readonly Buffer[] | null> {
  try {
    await using handle = await open(block.file, "r");
    return await Promise.all(
      chunks.map(async ({ offset, length }) => {
        const bytes = Buffer.alloc(length);
        await handle.read(bytes, 0, length, offset);
        return bytes;
      }),
    );
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw error;
  }
}
