import { execFile } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { promisify } from "node:util";
import { DroverError } from "#model/errors.ts";

const run = promisify(execFile);
/** The first that adds and removes servers at run time without an experimental mode. */
const oldest = [2, 6] as const;
const versionWithinMs = 10_000;

export interface Binary {
  readonly path: string;
  readonly version: string;
}

/** The HAProxy on the path. @throws {DroverError} ROUTER_UNUSABLE if there is none, it is too old, or lacks a part. */
export async function findHaproxy(searchPath: string): Promise<Binary> {
  const path = programIn(searchPath);
  if (path === null)
    throw new DroverError("ROUTER_UNUSABLE", `the router "haproxy" was asked for, and no program "haproxy" is on the path`, {
      hint: 'Install it (on Debian: "apt install haproxy"), put it on the PATH of Drover, or leave --router out for the embedded router.',
    });
  let text: string;
  try {
    text = (await run(path, ["-vv"], { timeout: versionWithinMs, maxBuffer: 2 ** 20 })).stdout;
  } catch (error) {
    throw new DroverError("ROUTER_UNUSABLE", `"${path}" could not be asked for its version`, {
      hint: `Run "${path} -vv" to see why, or leave --router out for the embedded router.`,
      cause: error,
    });
  }
  return { path, version: checkVersion(path, text) };
}

/** @param text what `haproxy -vv` printed. @throws {DroverError} ROUTER_UNUSABLE */
export function checkVersion(path: string, text: string): string {
  const [, major = "0", minor = "0", rest = ""] = /^HA-?Proxy version (\d+)\.(\d+)(\S*)/m.exec(text) ?? [];
  const version = `${major}.${minor}${rest}`;
  const isOld = Number(major) < oldest[0] || (Number(major) === oldest[0] && Number(minor) < oldest[1]);
  if (isOld)
    throw new DroverError("ROUTER_UNUSABLE", `"${path}" is HAProxy ${version}, and the router needs ${oldest.join(".")} or newer`, {
      hint: "Install a newer HAProxy, or leave --router out for the embedded router.",
    });
  for (const part of ["PCRE2?", "OPENSSL"])
    if (new RegExp(`-${part}(?: |$)`, "m").test(text) && !new RegExp(`\\+${part}(?:_JIT)?(?: |$)`, "m").test(text))
      throw new DroverError("ROUTER_UNUSABLE", `"${path}" was built without ${part.replace("2?", "")}`, {
        hint: "Install one that was built with it, as the packages of the distributions are, or leave --router out.",
      });
  return version;
}

function programIn(searchPath: string): string | null {
  // Where administrators' programs are; not on the path of every user.
  for (const folder of [...searchPath.split(delimiter), "/usr/local/sbin", "/usr/sbin"]) {
    if (!isAbsolute(folder)) continue;
    const path = join(folder, "haproxy");
    if (isProgram(path)) return path;
  }
  return null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // Not there, or not for us: the next folder may have it.
    return false;
  }
}
