import { hash, randomBytes, timingSafeEqual } from "node:crypto";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { z } from "zod";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import type { Home } from "#host/home.ts";

/** Who a request comes from. Today there is one: whoever holds the administrator's token. */
export interface Principal {
  readonly kind: "administrator";
  readonly id: string;
}

/** Checks bearer tokens; what it knows of them are hashes. */
export interface Authenticator {
  /** The principal of an `Authorization` header, or null. Takes the same time for every wrong token. */
  authenticate(authorization: string | undefined): Principal | null;
}

const storedToken = z.strictObject({ id: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/) });
/** Longest header looked at: the scheme, a space and a token fit well. */
const longestHeader = 256;

/**
 * Reads the administrator's token, or makes it at the first start: the clear one in `home.tokenFile` (0600) for commands on this machine,
 * its hash in the server's folder. A token file that was moved away keeps its token valid; a lost hash means a new token.
 */
export async function openAuthenticator(home: Home): Promise<Authenticator> {
  const hashFile = join(home.server, "token.json");
  const kept = await readTextIfThere(hashFile);
  if (kept !== null) return authenticatorOf(storedToken.parse(JSON.parse(kept)));
  const token = newToken();
  const stored = { id: token.slice(10, 18), sha256: sha256(token).toString("hex") };
  // The clear token first: a crash in between makes another one, and never leaves a valid token that nobody knows.
  await writeFileAtomic(home.tokenFile, `${token}\n`, { mode: 0o600 });
  await writeFileAtomic(hashFile, JSON.stringify(stored), { mode: 0o600 });
  await chmod(home.tokenFile, 0o600);
  return authenticatorOf(stored);
}

function authenticatorOf(stored: z.infer<typeof storedToken>): Authenticator {
  const wanted = Buffer.from(stored.sha256, "hex");
  const principal: Principal = { kind: "administrator", id: stored.id };
  return {
    authenticate: (authorization) => {
      if (authorization === undefined || authorization.length > longestHeader || !authorization.startsWith("Bearer ")) return null;
      return timingSafeEqual(sha256(authorization.slice(7)), wanted) ? principal : null;
    },
  };
}

/** `drv_admin_<id>_<secret><crc>`: the prefix lets secret scanners find it, the checksum lets them tell it from noise. */
function newToken(): string {
  const body = `drv_admin_${randomBytes(4).toString("hex")}_${randomBytes(32).toString("hex")}`;
  return body + checksum(body);
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}

function sha256(text: string): Buffer {
  return hash("sha256", text, "buffer");
}
