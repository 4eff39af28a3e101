import type { SpaceName } from "#model/names.ts";
import type { Change, Condition } from "../store/store.ts";

export interface SecretVersion {
  readonly name: string;
  readonly version: number;
  readonly updatedAtMs: number;
}

/** Secrets of spaces, sealed at rest: AES-256-GCM under a key file of the server, bound to space, name and version. */
export interface Secrets {
  /** Latest version of each, by name. */
  list(space: SpaceName): readonly SecretVersion[];
  /** Every version that can still be read: also older ones, which releases refer to. */
  versions(space: SpaceName): readonly SecretVersion[];
  latest(space: SpaceName, name: string): SecretVersion | null;
  /** The clear value. @throws {DroverError} SECRET_NOT_FOUND, SECRET_KEY_UNUSABLE */
  reveal(space: SpaceName, name: string, version: number): string;
  /** Whether this is the latest value. A value that cannot be read is not: setting it again is how it is mended. */
  holds(space: SpaceName, name: string, value: string): boolean;
  /** What to commit to give `name` a new version. Versions that `keep` names stay readable (releases refer to them); others go. */
  set(
    space: SpaceName,
    name: string,
    value: string,
    keep: ReadonlySet<number>,
  ): { readonly version: number; readonly condition: Condition; readonly change: Change };
  unset(space: SpaceName, name: string): { readonly condition: Condition; readonly change: Change };
}
