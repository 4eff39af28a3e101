import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { SpaceName } from "#model/names.ts";
import { keys, put, unchanged } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";
import type { Sealed, Sealer } from "./sealer.ts";
import type { Secrets } from "./secrets.ts";

/** What the store holds under a secret's name. */
interface SealedSecret {
  readonly name: string;
  /** Number of the newest version ever made. Stays when the secret is unset, so that no number ever means two values. */
  readonly last: number;
  readonly versions: Readonly<Record<string, SealedValue>>;
}

interface SealedValue extends Sealed {
  readonly updatedAtMs: number;
}

/** Secrets in the store. Their seal covers space, name and version, so a sealed value does not open in another's place. */
export function createSecrets({
  store,
  sealer,
  clock,
}: {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
}): Secrets {
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
    versions: (space) =>
      store.list(keys.secrets(space)).flatMap((entry) => {
        const { name, versions } = parse(entry);
        return Object.entries(versions).map(([version, { updatedAtMs }]) => ({ name, version: Number(version), updatedAtMs }));
      }),
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
      return sealer.open(value, [space, name, version]);
    },
    holds(space, name, value) {
      const latest = this.latest(space, name);
      if (latest === null) return false;
      try {
        return this.reveal(space, name, latest.version) === value;
      } catch (error) {
        if (error instanceof DroverError && error.code === "SECRET_KEY_UNUSABLE") return false;
        throw error;
      }
    },
    set(space, name, value, keep) {
      const found = read(space, name);
      const version = (found?.secret.last ?? 0) + 1;
      const kept = Object.entries(found?.secret.versions ?? {}).filter(([number]) => keep.has(Number(number)));
      const sealed = { updatedAtMs: clock.nowMs(), ...sealer.seal(value, [space, name, version]) };
      const secret: SealedSecret = { name, last: version, versions: { ...Object.fromEntries(kept), [version]: sealed } };
      return { version, condition: unchanged(keys.secret(space, name), found), change: put(keys.secret(space, name), secret) };
    },
    unset(space, name) {
      const found = read(space, name);
      if (found === null || latestOf(found.secret) === null) {
        throw new DroverError("SECRET_NOT_FOUND", `space "${space}" has no secret "${name}"`, {
          hint: `See which there are with "drover secret ls --space ${space}".`,
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

/** Whether the store keeps any value of a secret. */
export function holdsSecrets(store: Store): boolean {
  return store.list("/secrets/").some((entry) => Object.keys(parse(entry).versions).length > 0);
}
