import type { ErrorBody } from "./errors.ts";
import type { Digest } from "./names.ts";

export interface BuildOptions {
  readonly space: string;
  readonly app: string;
  /** Command in place of what would be found; null: find out. */
  readonly run: string | null;
  /** Whether the manifest itself says what to run, so that a source that does not is fine. Default false. */
  readonly hasRun?: boolean | undefined;
  readonly timeoutMs: number;
  readonly memoryBytes: number;
}

/** What a build found and made. */
export interface BuildResult {
  readonly artifact: Digest;
  readonly sizeBytes: number;
  readonly files: number;
  /** `procfile`, `node`, `python`, `go`, `static` or `command`; several joined by `+`. */
  readonly kind: string;
  /** Processes that the source says it has, by name: their command lines. */
  readonly processes: Readonly<Record<string, string>>;
  /** The same source was built before and its artifact is still here. */
  readonly cached: boolean;
}

/** A build's stream; `done` or `failed` is the last. */
export type BuildProgress =
  | { readonly kind: "step"; readonly message: string }
  | { readonly kind: "output"; readonly line: string }
  | { readonly kind: "done"; readonly result: BuildResult }
  | { readonly kind: "failed"; readonly error: ErrorBody };

/** Bounds of one build's source and artifact, so that one app cannot fill the disk or the table of files. */
export const buildLimits = { sourceBytes: 512 * 2 ** 20, artifactBytes: 2 * 2 ** 30, files: 200_000 } as const;
