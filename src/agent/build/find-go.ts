import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "#model/errors.ts";
import { namePattern } from "#model/names.ts";
import type { Recipe, Step } from "./recipe.ts";
import type { Source } from "./source.ts";

/** A Go module: its root if that is a program, and every program in `cmd/`. */
export async function findGo(source: Source): Promise<Recipe | null> {
  if (!(await source.hasFile("go.mod"))) return null;
  const programs: Record<string, string> = {};
  if (await isProgram(source, ".")) programs["web"] = ".";
  const commands: string[] = [];
  for (const name of await foldersOf(source, "cmd"))
    if (namePattern.test(name) && (await isProgram(source, `cmd/${name}`))) commands.push(name);
  for (const name of commands) programs[commands.length === 1 && programs["web"] === undefined ? "web" : name] = `cmd/${name}`;
  return {
    kind: "go",
    tools: [{ name: "go", versionArguments: ["version"], why: "the source has a go.mod" }],
    steps: Object.entries(programs).map(
      ([process, folder]): Step => ({
        message: `compiling ${folder === "." ? "the module" : folder}`,
        // Without paths and version control stamps, so that equal sources give equal programs.
        argv: ["go", "build", "-trimpath", "-buildvcs=false", "-o", `.drover/bin/${process}`, folder === "." ? "." : `./${folder}`],
      }),
    ),
    launch: {},
    processes: async () => Object.fromEntries(Object.keys(programs).map((process) => [process, `./.drover/bin/${process}`])),
  };
}

async function isProgram(source: Source, folder: string): Promise<boolean> {
  for (const file of await namesIn(source, folder)) {
    if (!file.endsWith(".go") || file.endsWith("_test.go")) continue;
    if (/^package main\b/m.test((await source.text(`${folder}/${file}`)) ?? "")) return true;
  }
  return false;
}

async function namesIn(source: Source, folder: string): Promise<string[]> {
  try {
    return (await readdir(join(source.folder, folder))).sort();
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR")) return [];
    throw error;
  }
}

async function foldersOf(source: Source, folder: string): Promise<string[]> {
  return (await namesIn(source, folder)).slice(0, 50);
}
