import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chown, mkdir, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { errorFields } from "#host/log.ts";
import type { Log } from "#model/log.ts";

/** Made by one run of `mkfifo`, and more as soon as fewer than half of them are left: a space that starts as a whole uses them up no faster. */
const madeAtOnce = 32;
/** It takes a millisecond; a machine on which it takes this long has other things to do. */
const makeWithinMs = 10_000;

/**
 * Named pipes that are made ahead, many by one process: Node cannot make one, and a process for each is a tenth of what starting a small app costs.
 * What is left when an agent ends or dies is for the next one.
 */
export class SparePipes {
  readonly #folder: string;
  readonly #log: Log;
  readonly #spares: string[];
  #making: Promise<void> | null = null;
  #canMake = true;

  private constructor(folder: string, spares: string[], log: Log) {
    this.#folder = folder;
    this.#spares = spares;
    this.#log = log;
  }

  /** @param folder on the file system that the pipes are to be on; nobody else may enter it */
  static async open(folder: string, log: Log): Promise<SparePipes> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new SparePipes(folder, await readdir(folder), log);
  }

  /** Moves one to `place`, for the user alone (null: our own). False if there is none: the parent of the instance then makes it. */
  async take(place: string, uid: number | null): Promise<boolean> {
    const spare = this.#spares.pop();
    if (this.#canMake && this.#spares.length < madeAtOnce / 2) this.#making ??= this.#make();
    if (spare === undefined) return false;
    const file = join(this.#folder, spare);
    try {
      if (uid !== null) await chown(file, uid, uid);
      await rename(file, place);
      return true;
    } catch (error) {
      this.#log.debug("spare pipe not used", errorFields(error));
      return false;
    }
  }

  /** Resolves when none is being made. */
  async settle(): Promise<void> {
    await this.#making;
  }

  async #make(): Promise<void> {
    const set = randomBytes(6).toString("hex");
    const names = Array.from({ length: madeAtOnce }, (_, i) => `${set}.${i}`);
    try {
      const options = { cwd: this.#folder, env: { PATH: "/usr/bin:/bin" }, timeout: makeWithinMs };
      await promisify(execFile)("mkfifo", ["-m", "600", ...names], options);
      this.#spares.push(...names);
    } catch (error) {
      this.#log.debug("pipes not made ahead", errorFields(error));
      this.#canMake = false;
    }
    this.#making = null;
  }
}
