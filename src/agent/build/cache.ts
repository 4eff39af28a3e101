import { mkdir, readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import type { Clock } from "#model/clock.ts";
import { digest } from "#model/name-schemas.ts";
import type { Digest } from "#model/names.ts";
import type { Tool } from "./recipe.ts";

/** Builds remembered: some tens for each of a hundred apps. */
const mostEntries = 5_000;

const resultEntry = z.object({ artifact: digest, kind: z.string(), processes: z.record(z.string(), z.string()) });
export interface ResultEntry {
  readonly artifact: Digest;
  readonly kind: string;
  readonly processes: Readonly<Record<string, string>>;
}

const tool = z.object({ name: z.string(), versionArguments: z.array(z.string()), why: z.string() });
const archiveEntry = z.object({ key: z.string(), tools: z.array(z.object({ tool, version: z.string() })) });
export interface ArchiveEntry {
  /** Under which the result is. */
  readonly key: string;
  /** What the build called: with another version it would not be the same build. */
  readonly tools: readonly { readonly tool: Tool; readonly version: string }[];
}

/** What builds gave, by everything that they depended on. */
export function openResults(folder: string, clock: Clock): BuildCache<ResultEntry> {
  return new BuildCache(folder, resultEntry, clock);
}

/** What became of archives, by their own digest and how they were to be built: to be asked before one is sent. */
export function openArchives(folder: string, clock: Clock): BuildCache<ArchiveEntry> {
  return new BuildCache(folder, archiveEntry, clock);
}

/** Losing an entry only costs a build. */
export class BuildCache<Entry> {
  readonly #folder: string;
  readonly #schema: z.ZodType<Entry>;
  readonly #clock: Clock;

  constructor(folder: string, schema: z.ZodType<Entry>, clock: Clock) {
    this.#folder = folder;
    this.#schema = schema;
    this.#clock = clock;
  }

  async find(key: string): Promise<Entry | null> {
    const file = this.#file(key);
    const text = await readTextIfThere(file);
    if (text === null) return null;
    let entry: Entry;
    try {
      entry = this.#schema.parse(JSON.parse(text));
    } catch {
      // Cut short by a power cut, which entries are not guarded against, or written by another version.
      await this.forget(key);
      return null;
    }
    const nowS = this.#clock.nowMs() / 1_000;
    await utimes(file, nowS, nowS);
    return entry;
  }

  async remember(key: string, entry: Entry): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await writeFileAtomic(this.#file(key), JSON.stringify(entry), { durable: false });
    await this.#trim();
  }

  async forget(key: string): Promise<void> {
    await rm(this.#file(key), { force: true });
  }

  async #trim(): Promise<void> {
    const names = await readdir(this.#folder);
    if (names.length <= mostEntries) return;
    const aged = await Promise.all(names.map(async (name) => ({ name, usedAtMs: (await stat(join(this.#folder, name))).mtimeMs })));
    aged.sort((a, b) => a.usedAtMs - b.usedAtMs);
    // A tenth at once, so that a full cache is not sorted for every build.
    for (const { name } of aged.slice(0, names.length - mostEntries * 0.9)) await rm(join(this.#folder, name), { force: true });
  }

  #file(key: string): string {
    return join(this.#folder, `${key}.json`);
  }
}
