import { createHash } from "node:crypto";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DroverError } from "#model/errors.ts";
import type { Session } from "../command.ts";

export interface Archive extends AsyncDisposable {
  readonly file: string;
}

/** As much as a source may have. */
const mostBytes = 512 * 2 ** 20;
/** Long enough for the most bytes over a slow line of 10 Mbit/s. */
const timeoutMs = 10 * 60_000;

/** What --sha256 says, in the form of digests. @throws {DroverError} USAGE */
export function readDigest(sha256: string): string {
  const digits = sha256.toLowerCase().replace(/^sha256:/, "");
  if (/^[0-9a-f]{64}$/.test(digits)) return `sha256:${digits}`;
  throw new DroverError("USAGE", `--sha256 is "${sha256}"`, { hint: "Give 64 hex digits, as sha256sum prints them." });
}

/**
 * Downloads an archive to a temporary file and checks its digest before anybody reads it.
 * @throws {DroverError} DIGEST_MISMATCH, BODY_TOO_LARGE, SOURCE_NOT_FOUND
 */
export async function downloadArchive(session: Session, url: string, digest: string): Promise<Archive> {
  const folder = await mkdtemp(join(tmpdir(), "drover-push-"));
  const archive: Archive = { file: join(folder, "source.tar"), [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
  try {
    const found = await download(session, url, archive.file);
    session.progress.clear();
    if (`sha256:${found}` === digest) return archive;
    throw new DroverError("DIGEST_MISMATCH", `the archive at "${url}" has the SHA-256 ${found}, not ${digest.slice("sha256:".length)}`, {
      hint: "Nothing was deployed. Find out why the archive changed before you change the digest.",
    });
  } catch (error) {
    await archive[Symbol.asyncDispose]();
    throw error;
  }
}

async function download(session: Session, url: string, file: string): Promise<string> {
  const signal = AbortSignal.any([session.signal, AbortSignal.timeout(timeoutMs)]);
  const response = await get(url, signal);
  await using handle = await open(file, "wx", 0o600);
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new DroverError("BODY_TOO_LARGE", `the archive at "${url}" is over ${mostBytes / 2 ** 20} MiB`);
    hash.update(chunk);
    await handle.write(chunk);
    session.progress.show([`downloading, ${(bytes / 2 ** 20).toFixed(1)} MiB`]);
  }
  return hash.digest("hex");
}

async function get(url: string, signal: AbortSignal): Promise<Response> {
  const hint = "Check the address; what it answers with has to be a tar or tar.gz.";
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new DroverError("SOURCE_NOT_FOUND", `cannot download "${url}"`, { cause: error, hint });
  }
  if (!response.ok) throw new DroverError("SOURCE_NOT_FOUND", `"${url}" answers with HTTP ${response.status}`, { hint });
  return response;
}
