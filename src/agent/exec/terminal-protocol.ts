import type { TerminalSize } from "#model/exec.ts";

/** What the agent tells a terminal's host: first one `start`, then sizes. Input and output are its standard input and output. */
export type HostOrder =
  | {
      readonly kind: "start";
      readonly argv: readonly string[];
      readonly cwd: string;
      readonly env: Readonly<Record<string, string>>;
      readonly uid: number | null;
      readonly gid: number | null;
      readonly size: TerminalSize;
    }
  | { readonly kind: "resize"; readonly size: TerminalSize };

/** What the host tells: `started` or `failed` first, `exited` last. */
export type HostReport =
  | { readonly kind: "started"; readonly pid: number }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "exited"; readonly code: number | null; readonly signal: string | null };
