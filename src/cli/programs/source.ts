import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, realpath, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodePackages, ownRoot } from "#host/distribution.ts";
import { readTextIfThere } from "#host/files.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import { isRecord, isText, parseJson } from "#model/shape.ts";

/** A Drover, unpacked, for as long as it is held. */
export interface ProgramsSource extends AsyncDisposable {
  readonly root: string;
}

/**
 * The Drover to upgrade to.
 * @param from a folder or a tarball of one, with its packages; left out: the one that this command is of
 * @throws {DroverError} USAGE
 */
export async function openSource(from: string | undefined, signal: AbortSignal): Promise<ProgramsSource> {
  if (from === undefined) return { root: ownRoot, [Symbol.asyncDispose]: async () => {} };
  const stats = await stat(from).catch((error: unknown) => {
    if (hasCode(error, "ENOENT"))
      throw new DroverError("USAGE", `there is no "${from}"`, { hint: "Give a folder of Drover, or a tarball of one." });
    throw error;
  });
  if (stats.isDirectory()) return { root: await requireDrover(await realpath(from), from), [Symbol.asyncDispose]: async () => {} };
  const folder = await mkdtemp(join(tmpdir(), "drover-upgrade-"));
  const dispose = () => rm(folder, { recursive: true, force: true });
  try {
    await unpack(from, folder, signal);
    const [only, ...others] = await readdir(folder);
    const root = only !== undefined && others.length === 0 ? join(folder, only) : folder;
    return { root: await requireDrover(root, from), [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** @throws {DroverError} USAGE */
async function requireDrover(root: string, from: string): Promise<string> {
  const isThere = (path: string) => existsSync(join(root, path));
  const json = async (path: string) => parseJson((await readTextIfThere(join(root, path))) ?? "");
  const manifest = await json("package.json");
  const name = isRecord(manifest) ? manifest["name"] : null;
  if (!["bin", "src", "package-lock.json"].every(isThere) || name !== "drover")
    throw new DroverError("USAGE", `"${from}" holds no Drover${isText(name) && name !== "drover" ? `, but "${name}"` : ""}`, {
      hint: `Give a folder with bin, src and node_modules, such as a clone after "${install}", or a tarball of one.`,
    });
  const lock = await json("package-lock.json");
  const packages = isRecord(lock) && isRecord(lock["packages"]) ? Object.entries(lock["packages"]) : [];
  const needed = packages.flatMap(([path, about]) =>
    path !== "" && isRecord(about) && about["dev"] !== true && about["optional"] !== true ? [path] : [],
  );
  const missing = needed.find((path) => !isThere(path));
  if (missing !== undefined || !nodePackages.some((one) => isThere(`node_modules/${one}`)))
    throw new DroverError("USAGE", `the Drover in "${from}" lacks ${missing ?? "its own Node for Linux"}`, {
      hint: `Run "${install}" in its folder, on Linux; a tarball takes node_modules along.`,
    });
  return root;
}

const install = "npm ci --ignore-scripts --omit=dev";

/** @throws {DroverError} USAGE */
async function unpack(file: string, folder: string, signal: AbortSignal): Promise<void> {
  const tar = spawn("tar", ["-xf", file, "-C", folder, "--no-same-owner"], { stdio: ["ignore", "ignore", "pipe"], signal });
  let said = "";
  tar.stderr.on("data", (chunk: Buffer) => (said = `${said}${chunk}`.slice(-2_000)));
  const [code] = (await once(tar, "close")) as [number | null];
  if (code !== 0)
    throw new DroverError("USAGE", `"${file}" cannot be unpacked: ${said.trim().split("\n")[0]}`, {
      hint: "Give a tar or tar.gz file. Fetch it again if it should be one.",
    });
}
