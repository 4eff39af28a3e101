import { createHmac, randomBytes } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { DroverError, hasCode } from "#model/errors.ts";

const keyBytes = 32;

export interface SealingKey {
  readonly bytes: Buffer;
  /** Names the key without telling it; kept with what was sealed under it. */
  readonly id: string;
}

/**
 * The key in `file`; null if there is no such file.
 * @throws {DroverError} SECRET_KEY_UNUSABLE if the file does not hold a key.
 */
export function readKeyFile(file: string): SealingKey | null {
  let text: string;
  try {
    text = readFileSync(file, "latin1");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw new DroverError("SECRET_KEY_UNUSABLE", `the key of the secrets cannot be read from "${file}"`, {
      cause: error,
      hint: `Let the user that runs Drover read "${file}".`,
    });
  }
  const bytes = Buffer.from(text.trim(), "base64");
  if (bytes.length !== keyBytes) {
    throw new DroverError("SECRET_KEY_UNUSABLE", `"${file}" does not hold a key of ${keyBytes} bytes in base64`, {
      hint: "Put the key file that sealed the secrets back in its place.",
    });
  }
  return { bytes, id: createHmac("sha256", bytes).update("drover secrets key id").digest("hex").slice(0, 16) };
}

/** Makes a key that is durable before it is used: a value sealed under a key that is lost is lost with it. Never replaces an existing file. */
export function makeKeyFile(file: string): SealingKey {
  const temporary = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  const descriptor = openSync(temporary, "wx", 0o600);
  try {
    writeSync(descriptor, `${randomBytes(keyBytes).toString("base64")}\n`);
    fsyncSync(descriptor);
    linkSync(temporary, file);
  } finally {
    closeSync(descriptor);
    rmSync(temporary, { force: true });
  }
  const folder = openSync(dirname(file), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
  const key = readKeyFile(file);
  if (key === null) throw new Error(`the key file "${file}" vanished as it was made`);
  return key;
}
