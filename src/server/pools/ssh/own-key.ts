import { execFile } from "node:child_process";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { readTextIfThere } from "#host/files.ts";
import { DroverError, hasCode } from "#model/errors.ts";

/** Making an Ed25519 key takes no time; a machine that swaps takes some. */
const makeMs = 30_000;

/**
 * The server's own key for SSH, made when it is first asked for.
 * @returns its public half, as a line of `authorized_keys`
 * @throws {DroverError} SSH_FAILED without `ssh-keygen`
 */
export async function ownPublicKey(file: string, signal: AbortSignal): Promise<string> {
  const known = await readTextIfThere(`${file}.pub`);
  if (known !== null) return known.trim();
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}.new`;
  await Promise.all([draft, `${draft}.pub`].map((one) => rm(one, { force: true })));
  try {
    await promisify(execFile)("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "drover", "-f", draft], { signal, timeout: makeMs });
  } catch (error) {
    signal.throwIfAborted();
    if (!hasCode(error, "ENOENT")) throw error;
    throw new DroverError("SSH_FAILED", 'there is no program "ssh-keygen" on the server\'s machine', {
      hint: "Install the OpenSSH client there.",
      cause: error,
    });
  }
  // The public half last: once it is there, so is the other.
  await rename(draft, file);
  await rename(`${draft}.pub`, `${file}.pub`);
  return (await readFile(`${file}.pub`, "utf8")).trim();
}
