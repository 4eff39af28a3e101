import { hash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import { namePattern } from "#model/names.ts";

/** A token as it is handed out. */
export interface TokenText {
  /** Of this token alone: one that is made later under the same name has another. */
  readonly id: string;
  readonly text: string;
}

const pattern = /^drv_api_([a-z0-9-]{1,40})_[0-9a-f]{16}_[0-9a-f]{64}[0-9a-f]{8}$/;

/** `drv_api_<name>_<id>_<secret><checksum>`: the prefix lets secret scanners find it, the name says which to revoke, the checksum tells it from noise. */
export function newTokenText(name: string): TokenText {
  const id = randomBytes(8).toString("hex");
  const body = `drv_api_${name}_${id}_${randomBytes(32).toString("hex")}`;
  return { id, text: body + checksum(body) };
}

/** The name in a text that has the form of a token; null for any other. */
export function tokenNameIn(text: string): string | null {
  const name = pattern.exec(text)?.[1];
  return name !== undefined && namePattern.test(name) ? name : null;
}

/** What is kept of a token, and compared. */
export function tokenDigest(text: string): Buffer {
  return hash("sha256", text, "buffer");
}

export function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
