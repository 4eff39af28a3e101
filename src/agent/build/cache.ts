import { mkdir, readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import type { Clock } from "#model/clock.ts";
import { digest } from "#model/name-schemas.ts";
import type { Digest } from "#model/names.ts";

/** Builds remembered: some tens for each of a hundred apps. */
const mostEntries = 5_000;

const entrySchema = z.object({ artifact: digest, kind: z.string(), processes: z.record(z.string(), z.string()) });
export interface CacheEntry {
  readonly artifact: Digest;
  readonly kind: string;
  readonly processes: Readonly<Record<string, string>>;
}

/** What builds gave, by everything that they depended on. Losing an entry only costs a build. */
export class BuildCache {
  readonly #folder: string;
  readonly #clock: Clock;

  constructor(folder: string, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  async find(key: string): Promise<CacheEntry | null> {
    const file = this.#file(key);
    const text = await readTextIfThere(file);
    if (text === null) return null;
    let entry: CacheEntry;
    try {
      entry = entrySchema.parse(JSON.parse(text));
    } catch {
      // Cut short by a power cut, which entries are not guarded against, or written by another version.
      await this.forget(key);
      return null;
    }
    const nowS = this.#clock.nowMs() / 1_000;
    await utimes(file, nowS, nowS);
    return entry;
  }

  async remember(key: string, entry: CacheEntry): Promise<void> {
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
