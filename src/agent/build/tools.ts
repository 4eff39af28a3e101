import { execFile } from "node:child_process";
import { access, constants, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { DroverError, hasCode } from "#model/errors.ts";
import type { Tool } from "./recipe.ts";

/** A tool that does not tell its version in this time does not work. */
const versionTimeoutMs = 10_000;

/** Finds build tools on this machine and learns their versions, each once until its file changes. */
export class Toolbox {
  readonly #environment: Readonly<Record<string, string>>;
  readonly #versions = new Map<string, string>();

  constructor(environment: Readonly<Record<string, string>>) {
    this.#environment = environment;
  }

  /** @throws {DroverError} BUILD_FAILED if it is not there */
  async version(tool: Tool, signal: AbortSignal): Promise<string> {
    const file = await this.#find(tool.name);
    if (file === null)
      throw new DroverError("BUILD_FAILED", `${tool.why}, but this machine has no ${JSON.stringify(tool.name)}`, {
        hint: `Install ${tool.name} where the agent runs, in a folder of ${this.#environment["PATH"] ?? "its PATH"}.`,
      });
    const { mtimeMs, size } = await stat(file);
    const key = `${file} ${mtimeMs} ${size}`;
    const known = this.#versions.get(key);
    if (known !== undefined) return known;
    const { stdout } = await promisify(execFile)(file, [...tool.versionArguments], {
      env: this.#environment,
      timeout: versionTimeoutMs,
      signal,
    });
    const version = stdout.trim().slice(0, 200);
    this.#versions.set(key, version);
    return version;
  }

  async #find(name: string): Promise<string | null> {
    for (const folder of (this.#environment["PATH"] ?? "").split(":")) {
      if (folder === "") continue;
      const file = join(folder, name);
      try {
        await access(file, constants.X_OK);
        return await realpath(file);
      } catch (error) {
        if (!hasCode(error, "ENOENT") && !hasCode(error, "EACCES") && !hasCode(error, "ENOTDIR")) throw error;
      }
    }
    return null;
  }
}
