import { randomBytes } from "node:crypto";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import type { Home } from "#host/home.ts";
import { checksum, tokenDigest } from "./token-text.ts";

const storedToken = z.strictObject({ id: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/) });
/** What is kept of the first token: never itself. */
export type OwnerToken = Readonly<z.infer<typeof storedToken>>;

/**
 * Reads what is known of the first token, or makes it at the first start: the clear one in `home.tokenFile` (0600) for commands on this machine,
 * its hash in the server's folder. A token file that was moved away keeps its token valid; a lost hash means a new token.
 */
export async function openOwnerToken(home: Home): Promise<OwnerToken> {
  const hashFile = join(home.server, "token.json");
  const kept = await readTextIfThere(hashFile);
  if (kept !== null) return storedToken.parse(JSON.parse(kept));
  const id = randomBytes(4).toString("hex");
  const body = `drv_admin_${id}_${randomBytes(32).toString("hex")}`;
  const token = body + checksum(body);
  const stored = { id, sha256: tokenDigest(token).toString("hex") };
  // The clear token first: a crash in between makes another one, and never leaves a valid token that nobody knows.
  await writeFileAtomic(home.tokenFile, `${token}\n`, { mode: 0o600 });
  await writeFileAtomic(hashFile, JSON.stringify(stored), { mode: 0o600 });
  await chmod(home.tokenFile, 0o600);
  return stored;
}
