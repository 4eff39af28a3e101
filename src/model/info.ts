import type { InstanceId } from "./names.ts";

/** What instances say of themselves: which version they are. It is their own word, so it is shown and never decided by. */

/** The path that is asked where the manifest names none. */
export const usualInfoPath = "/info";

export interface InfoQuestion {
  readonly instance: InstanceId;
  readonly path: string;
}

export interface SaidInfo {
  readonly version: string | null;
  readonly commit: string | null;
  /** What else it says in plain values, by key; values are cut. */
  readonly more: Readonly<Record<string, string>>;
}

export interface InfoAnswer {
  readonly instance: InstanceId;
  /** Null where it said nothing of use. */
  readonly said: SaidInfo | null;
  /** Why it said nothing, in words; null where it did, and where it has no such path. */
  readonly why: string | null;
}
