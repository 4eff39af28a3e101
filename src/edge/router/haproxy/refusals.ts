import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Config, maps, renderMap } from "./config.ts";
import { StartFailure } from "./process.ts";

/** Reading a configuration of 10,000 routes takes under a second. */
const validateWithinMs = 30_000;
const longestWords = 64_000;

/** Puts the configuration and what it names into the folder in which HAProxy runs. */
export async function writeConfig(folder: string, file: string, config: Config): Promise<void> {
  // Nothing of it is read again after a crash of the machine: every start writes all.
  const write = (name: string, content: string) => writeFile(join(folder, name), content, { mode: 0o600 });
  for (const [name, content] of config.files) await write(name, content);
  for (const [name, entries] of config.maps) await write(name, renderMap(entries));
  for (const name of Object.values(maps)) if (!config.maps.has(name)) await write(name, "");
  await write(file, config.text);
}

/** @throws {StartFailure} with HAProxy's own words if it refuses the configuration. */
export async function validate(binary: string, folder: string, file: string, fds: readonly number[]): Promise<void> {
  const child = spawn(binary, ["-c", "-f", file], { cwd: folder, stdio: ["ignore", "ignore", "pipe", ...fds], timeout: validateWithinMs });
  let words = "";
  child.stderr?.setEncoding("utf8");
  child.stderr?.on("data", (chunk: string) => {
    words = (words + chunk).slice(-longestWords);
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new StartFailure(words, code);
}

export interface RefusedLine {
  /** From 1. */
  readonly line: number;
  readonly words: string;
}

/** The lines that HAProxy named, with what it said of each. */
export function refusedLines(words: string): readonly RefusedLine[] {
  const refused: RefusedLine[] = [];
  for (const line of words.split("\n")) {
    if (!/^\[ALERT\]/.test(line)) continue;
    const match = /(?:\[[^\]]*\.cfg:(\d+)\]|in file '[^']*\.cfg' line (\d+))/.exec(line);
    const number = Number(match?.[1] ?? match?.[2] ?? 0);
    if (number > 0) refused.push({ line: number, words: line.replace(/^\[ALERT\]\s*\(\d+\)\s*:\s*/, "").slice(0, 500) });
  }
  return refused;
}

/** Ports that HAProxy could not listen on. */
export function takenPorts(words: string): readonly number[] {
  return [...words.matchAll(/cannot bind socket[^[]*\[[^\]]*?:(\d+)\]/g)].map(([, port]) => Number(port));
}
