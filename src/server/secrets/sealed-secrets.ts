import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { SpaceName } from "#model/names.ts";
import { keys, put, unchanged } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";
import { makeKeyFile, readKeyFile, type SealingKey } from "./key-file.ts";
import type { Secrets } from "./secrets.ts";

/** 96 random bits, as NIST SP 800-38D has it for AES-GCM: safe for some four thousand million values under one key. */
const NONCE_BYTES = 12;

/** What the store holds under a secret's name. */
interface SealedSecret {
  readonly name: string;
  /** Number of the newest version ever made. Stays when the secret is unset, so that no number ever means two values. */
  readonly last: number;
  readonly versions: Readonly<Record<string, SealedValue>>;
}

interface SealedValue {
  readonly updatedAtMs: number;
  /** Id of the key that it was sealed under. */
  readonly key: string;
  readonly nonce: string;
  /** Cipher text and tag. */
  readonly sealed: string;
}

/**
 * Secrets in the store, sealed under the key in `keyFile`, which is made when the first secret is set.
 * The seal covers space, name and version, so a sealed value does not open in another's place.
 */
export function createSecrets({
  store,
  keyFile,
  clock,
}: {
  readonly store: Store;
  readonly keyFile: string;
  readonly clock: Clock;
}): Secrets {
  let cached: SealingKey | null = null;

  function key(purpose: "open" | "seal"): SealingKey {
    cached ??= readKeyFile(keyFile);
    if (cached !== null) return cached;
    // A new key would make what is sealed under the old one look like nothing but garbage.
    if (purpose === "open" || store.list("/secrets/").some(holdsValues)) {
      throw new DroverError(
        "SECRET_KEY_UNUSABLE",
        `the key of the secrets, "${keyFile}", is missing, and there are secrets sealed under it`,
        {
          hint: "Put the key file back from a backup. Without it, unset the secrets and set them again.",
        },
      );
    }
    cached = makeKeyFile(keyFile);
    return cached;
  }

  function read(space: SpaceName, name: string): { readonly secret: SealedSecret; readonly modRevision: number } | null {
    const entry = store.get(keys.secret(space, name));
    return entry === null ? null : { secret: parse(entry), modRevision: entry.modRevision };
  }

  function latestOf({ name, last, versions }: SealedSecret) {
    const newest = versions[last];
    return newest === undefined ? null : { name, version: last, updatedAtMs: newest.updatedAtMs };
  }

  return {
    list: (space) =>
      store
        .list(keys.secrets(space))
        .map((entry) => latestOf(parse(entry)))
        .filter((secret) => secret !== null),
    latest(space, name) {
      const found = read(space, name);
      return found === null ? null : latestOf(found.secret);
    },
    reveal(space, name, version) {
      const value = read(space, name)?.secret.versions[version];
      if (value === undefined) {
        throw new DroverError("SECRET_NOT_FOUND", `space "${space}" has no version ${version} of secret "${name}"`, {
          hint: `Set it with "drover secret set ${name} --space ${space}".`,
        });
      }
      return unseal(value, key("open"), associated(space, name, version));
    },
    set(space, name, value, keep) {
      const found = read(space, name);
      const version = (found?.secret.last ?? 0) + 1;
      const kept = Object.entries(found?.secret.versions ?? {}).filter(([number]) => keep.has(Number(number)));
      const sealed = { updatedAtMs: clock.nowMs(), ...seal(value, key("seal"), associated(space, name, version)) };
      const secret: SealedSecret = { name, last: version, versions: { ...Object.fromEntries(kept), [version]: sealed } };
      return { version, condition: unchanged(keys.secret(space, name), found), change: put(keys.secret(space, name), secret) };
    },
    unset(space, name) {
      const found = read(space, name);
      if (found === null || latestOf(found.secret) === null) {
        throw new DroverError("SECRET_NOT_FOUND", `space "${space}" has no secret "${name}"`, {
          hint: `See which there are with "drover secret list --space ${space}".`,
        });
      }
      const forgotten: SealedSecret = { name, last: found.secret.last, versions: {} };
      return { condition: unchanged(keys.secret(space, name), found), change: put(keys.secret(space, name), forgotten) };
    },
  };
}

function parse({ value }: { readonly value: Uint8Array }): SealedSecret {
  return JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("utf8"));
}

function holdsValues(entry: { readonly value: Uint8Array }): boolean {
  return Object.keys(parse(entry).versions).length > 0;
}

function associated(space: string, name: string, version: number): Buffer {
  return Buffer.from(JSON.stringify([space, name, version]));
}

function seal(value: string, key: SealingKey, bound: Buffer): Omit<SealedValue, "updatedAtMs"> {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key.bytes, nonce).setAAD(bound);
  const sealed = Buffer.concat([cipher.update(value, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return { key: key.id, nonce: nonce.toString("base64"), sealed: sealed.toString("base64") };
}

function unseal({ key: keyId, nonce, sealed }: SealedValue, key: SealingKey, bound: Buffer): string {
  if (keyId !== key.id) {
    throw new DroverError("SECRET_KEY_UNUSABLE", `the value was sealed under key ${keyId}, and the key file holds key ${key.id}`, {
      hint: "Put the key file that sealed the secrets back in its place.",
    });
  }
  const bytes = Buffer.from(sealed, "base64");
  try {
    const decipher = createDecipheriv("aes-256-gcm", key.bytes, Buffer.from(nonce, "base64"), { authTagLength: 16 })
      .setAAD(bound)
      .setAuthTag(bytes.subarray(-16));
    return Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString("utf8");
  } catch (error) {
    throw new DroverError("SECRET_KEY_UNUSABLE", `the sealed value of ${bound.toString("utf8")} was changed, or put there from elsewhere`, {
      cause: error,
      hint: "Set the secret again.",
    });
  }
}
