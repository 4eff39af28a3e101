/** A program that a build calls; its version is part of what decides whether two builds give the same. */
export interface Tool {
  readonly name: string;
  /** Prints its version. */
  readonly versionArguments: readonly string[];
  /** For people when it is missing. */
  readonly why: string;
}

export interface Step {
  readonly message: string;
  readonly argv: readonly string[];
}

/** Folders of an artifact, relative to it, that its processes find programs and modules in; in front of what the variable holds. */
export type LaunchPaths = Readonly<Partial<Record<"PATH" | "PYTHONPATH", readonly string[]>>>;

/** How a source is built: what a finder made of it. Nothing has run yet. */
export interface Recipe {
  readonly kind: "node" | "python" | "go" | "static";
  readonly tools: readonly Tool[];
  readonly steps: readonly Step[];
  readonly launch: LaunchPaths;
  /** Looks, once the steps are done, for what there is to run: process → command line. Empty if there is nothing. */
  readonly processes: () => Promise<Readonly<Record<string, string>>>;
}
