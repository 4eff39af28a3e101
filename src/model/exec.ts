import type { ErrorBody } from "./errors.ts";
import type { InstanceId, MachineId } from "./names.ts";
import type { Workload } from "./workload.ts";

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface ExecRequest {
  /**
   * A running instance whose surroundings the command gets, a workload of which fresh surroundings are made for it, or the machine itself, with the user
   * that Drover has there.
   */
  readonly where:
    | { readonly kind: "instance"; readonly instance: InstanceId }
    | { readonly kind: "workload"; readonly workload: Workload }
    | { readonly kind: "machine"; readonly machine: MachineId };
  /** Empty: a shell. */
  readonly command: readonly string[];
  /** Null: no terminal; output and error output stay apart. */
  readonly terminal: TerminalSize | null;
}

export const execSignals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGKILL"] as const;
export type ExecSignal = (typeof execSignals)[number];

/** What goes to a command that runs inside. */
export type ExecInput =
  | { readonly kind: "start"; readonly request: ExecRequest }
  | { readonly kind: "input"; readonly base64: string }
  /** End of input; a terminal gets Ctrl-D. */
  | { readonly kind: "end" }
  | ({ readonly kind: "resize" } & TerminalSize)
  | { readonly kind: "signal"; readonly signal: ExecSignal };

/** What comes from it; `exit` or `error` is the last. */
export type ExecOutput =
  | { readonly kind: "output"; readonly stream: "stdout" | "stderr"; readonly base64: string }
  | { readonly kind: "exit"; readonly code: number | null; readonly signal: string | null }
  | { readonly kind: "error"; readonly error: ErrorBody };
