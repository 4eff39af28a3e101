import { access, constants, stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { DroverError, hasCode } from "#model/errors.ts";
import type { TerminalSize } from "#model/exec.ts";

/** Where a command runs, as the engine made it. */
export interface ExecSurroundings {
  readonly cwd: string;
  /** The whole environment: nothing of the agent's own is added. */
  readonly env: Readonly<Record<string, string>>;
  /** The app's user and group; null: the agent's own. */
  readonly uid: number | null;
  readonly gid: number | null;
  /** Puts a process into the instance's cgroup. Called before the command's first instruction. */
  readonly join: (pid: number) => Promise<void>;
  /** Empty: a shell. */
  readonly command: readonly string[];
  /** Null: no terminal. */
  readonly terminal: TerminalSize | null;
}

/** What most machines have, for an app that sets no path of its own. */
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The argv to run, with its program as an absolute path. @throws {DroverError} EXEC_FAILED if there is no such program. */
export async function resolveCommand({ command, cwd, env, terminal }: ExecSurroundings): Promise<readonly [string, ...string[]]> {
  const [name, ...args] = command.length > 0 ? command : ["sh", ...(terminal === null ? [] : ["-i"])];
  if (name === undefined || name === "" || [name, ...args].some((part) => part.includes("\0"))) {
    throw new DroverError("EXEC_FAILED", "cannot run an empty command or one with a zero byte in it", { hint: "Name a program to run." });
  }
  await checkFolder(cwd);
  let found: "nothing" | "no program" = "nothing";
  for (const file of candidates(name, cwd, env["PATH"] ?? usualPath)) {
    const is = await kindOf(file);
    if (is === "program") return [file, ...args];
    if (is === "no program") found = is;
  }
  const where = name.includes("/") ? "" : " in the PATH that it would have";
  throw new DroverError(
    "EXEC_FAILED",
    found === "nothing" ? `there is no command "${name}"${where}` : `"${name}" is there${where}, but it is not a program that may be run`,
    { hint: "Give the whole path of a program that is there; `ls` run in its place shows what is." },
  );
}

function candidates(name: string, cwd: string, path: string): readonly string[] {
  if (name.includes("/")) return [isAbsolute(name) ? name : join(cwd, name)];
  return path.split(":").map((folder) => join(isAbsolute(folder) ? folder : join(cwd, folder), name));
}

async function kindOf(file: string): Promise<"program" | "no program" | "nothing"> {
  try {
    if (!(await stat(file)).isFile()) return "no program";
    await access(file, constants.X_OK);
    return "program";
  } catch (error) {
    if (hasCode(error, "EACCES")) return "no program";
    if (hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR") || hasCode(error, "ELOOP") || hasCode(error, "ENAMETOOLONG"))
      return "nothing";
    throw error;
  }
}

async function checkFolder(cwd: string): Promise<void> {
  try {
    if ((await stat(cwd)).isDirectory()) return;
  } catch (error) {
    if (!hasCode(error, "ENOENT") && !hasCode(error, "ENOTDIR")) throw error;
  }
  throw new DroverError("EXEC_FAILED", `the instance's folder "${cwd}" is gone`, {
    hint: "The instance ended; look for another with `drover ps`.",
  });
}
