import type { Command } from "commander";
import type { Home } from "#host/home.ts";
import type { Clock } from "#model/clock.ts";
import type { Api } from "./api/client.ts";
import type { Interrupts } from "./interrupts.ts";
import type { Output } from "./output/output.ts";
import type { Progress } from "./output/progress.ts";

/** Options that every command takes, before or after its name. */
export interface CommonOptions {
  readonly json: boolean;
  readonly yes: boolean;
  readonly detach: boolean;
  /** Where it was given: `--space`, else `$DROVER_SPACE`, else null. */
  readonly space: string | null;
  /** How long to wait for what was asked to come true; null: the command's own default. */
  readonly timeoutMs: number | null;
  /** `--home`, or null. */
  readonly home: string | null;
}

export interface Terminal {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
  readonly error: NodeJS.WriteStream;
}

export interface Catalogue {
  readonly names: readonly string[];
  /** A command with its arguments and options; null if there is none of that name. */
  describe(name: string): Promise<Command | null>;
}

/** What a command works with. Made once by `main.ts`. */
export interface Session {
  readonly api: Api;
  readonly out: Output;
  readonly progress: Progress;
  readonly common: CommonOptions;
  readonly home: Home;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  readonly interrupts: Interrupts;
  readonly terminal: Terminal;
  /** Texts of the manifests that were read, by name, so that errors can show the line. */
  readonly sources: Map<string, string>;
  /** What `drover` itself offers, for completion. */
  readonly catalogue: Catalogue;
}

export interface Call<Options> {
  readonly args: readonly string[];
  readonly options: Options;
}

/** One command: what it takes, and what it does. Answers its exit code; nothing means 0. */
export interface Verb<Options = Readonly<Record<string, unknown>>> {
  readonly configure?: (command: Command) => unknown;
  /** Everything from the first word after the first argument on is a command line of its own, options and all. */
  readonly takesCommand?: true;
  // A method, so that verbs with different options fit one table: commander's parsed options are untyped, and `configure` is what types them.
  run(session: Session, call: Call<Options>): Promise<number | undefined>;
}

/** A command with commands of its own: `drover secret set`. */
export interface Noun {
  readonly verbs: Readonly<Record<string, Verb & { readonly summary: string }>>;
}

export type CommandModule = Verb | Noun;
