import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { writeFileAtomic } from "#host/files.ts";
import { DroverError, hasCode } from "#model/errors.ts";

const keyBytes = 32;
/** The nonce size that AES-GCM is made for. */
const nonceBytes = 12;
const tagBytes = 16;

/** Encrypts text so that only this agent can read it, and only as belonging to the same `context`. */
export interface Seal {
  seal(text: string, context: string): string;
  /** @throws {DroverError} SECRET_KEY_UNUSABLE if it was sealed under another key or context, or was changed. */
  open(sealed: string, context: string): string;
}

/** Reads the key, or makes one at the first start. @throws {DroverError} SECRET_KEY_UNUSABLE if the file is no key. */
export async function openSeal(keyFile: string): Promise<Seal> {
  const key = await readOrMakeKey(keyFile);
  return {
    seal: (text, context) => {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(context));
      return Buffer.concat([nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]).toString("base64");
    },
    open: (sealed, context) => {
      const bytes = Buffer.from(sealed, "base64");
      try {
        const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes });
        decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-tagBytes));
        return Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()]).toString("utf8");
      } catch (error) {
        throw new DroverError("SECRET_KEY_UNUSABLE", `the secrets of "${context}" cannot be opened with the key in ${keyFile}`, {
          cause: error,
          hint: "Put the key file back, or remove the order; the server sends it again.",
        });
      }
    },
  };
}

async function readOrMakeKey(keyFile: string): Promise<Buffer> {
  try {
    const key = await readFile(keyFile);
    if (key.length === keyBytes) return key;
    throw new DroverError("SECRET_KEY_UNUSABLE", `the key in ${keyFile} has ${key.length} bytes instead of ${keyBytes}`, {
      hint: "Put the key file back from a copy.",
    });
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
    const key = randomBytes(keyBytes);
    await writeFileAtomic(keyFile, key);
    return key;
  }
}
