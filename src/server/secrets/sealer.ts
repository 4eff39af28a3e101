import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { DroverError } from "#model/errors.ts";
import { makeKeyFile, readKeyFile, type SealingKey } from "./key-file.ts";

/** 96 random bits, as NIST SP 800-38D has it for AES-GCM: safe for some four thousand million values under one key. */
const nonceBytes = 12;

/** A value as it may lie on a disk. */
export interface Sealed {
  /** Id of the key that it was sealed under. */
  readonly key: string;
  readonly nonce: string;
  /** Cipher text and tag. */
  readonly sealed: string;
}

/** Seals values with AES-256-GCM under the key in a file. What a seal is bound to has to be said again to open it. */
export class Sealer {
  readonly #file: string;
  readonly #holdsSealed: () => boolean;
  #key: SealingKey | null = null;

  /**
   * The key is made when the first value is sealed.
   * @param holdsSealed whether anything sealed is kept: then a missing key file is not replaced
   */
  constructor(file: string, holdsSealed: () => boolean) {
    this.#file = file;
    this.#holdsSealed = holdsSealed;
  }

  /** @throws {DroverError} SECRET_KEY_UNUSABLE */
  seal(value: string, bound: readonly (string | number)[]): Sealed {
    const key = this.#keyFor("seal");
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv("aes-256-gcm", key.bytes, nonce).setAAD(associated(bound));
    const sealed = Buffer.concat([cipher.update(value, "utf8"), cipher.final(), cipher.getAuthTag()]);
    return { key: key.id, nonce: nonce.toString("base64"), sealed: sealed.toString("base64") };
  }

  /** @throws {DroverError} SECRET_KEY_UNUSABLE */
  open({ key: keyId, nonce, sealed }: Sealed, bound: readonly (string | number)[]): string {
    const key = this.#keyFor("open");
    if (keyId !== key.id) {
      throw new DroverError("SECRET_KEY_UNUSABLE", `the value was sealed under key ${keyId}, and the key file holds key ${key.id}`, {
        hint: "Put the key file that sealed the secrets back in its place.",
      });
    }
    const bytes = Buffer.from(sealed, "base64");
    try {
      const decipher = createDecipheriv("aes-256-gcm", key.bytes, Buffer.from(nonce, "base64"), { authTagLength: 16 })
        .setAAD(associated(bound))
        .setAuthTag(bytes.subarray(-16));
      return Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString("utf8");
    } catch (error) {
      throw new DroverError(
        "SECRET_KEY_UNUSABLE",
        `the sealed value of ${JSON.stringify(bound)} was changed, or put there from elsewhere`,
        {
          cause: error,
          hint: "Set the secret again.",
        },
      );
    }
  }

  #keyFor(purpose: "open" | "seal"): SealingKey {
    this.#key ??= readKeyFile(this.#file);
    if (this.#key !== null) return this.#key;
    // A new key would make what is sealed under the old one look like nothing but garbage.
    if (purpose === "open" || this.#holdsSealed()) {
      throw new DroverError(
        "SECRET_KEY_UNUSABLE",
        `the key of the secrets, "${this.#file}", is missing, and there are secrets sealed under it`,
        {
          hint: "Put the key file back from a backup. Without it, unset the secrets and set them again.",
        },
      );
    }
    this.#key = makeKeyFile(this.#file);
    return this.#key;
  }
}

function associated(bound: readonly (string | number)[]): Buffer {
  return Buffer.from(JSON.stringify(bound));
}
