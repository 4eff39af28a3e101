import type { CheckResult, CheckTest } from "./check.ts";
import type { ErrorCode } from "./errors.ts";
import type { CheckId, SpaceName } from "./names.ts";
import type { Target } from "./target.ts";

/** The kinds of check that one program can make by itself; the others are judged by the server from what it knows. */
export type ProbedTest =
  | Extract<CheckTest, { kind: "http" | "tcp" | "icmp" | "dns" | "command" }>
  /** By the server alone. */
  | LogTest;

export type LogTest = Extract<CheckTest, { kind: "log" }> & {
  /** Whose logs: of the app that is the target, or of the whole space. */
  readonly of: { readonly space: SpaceName; readonly target: Target };
};

/** A check as one probe makes it. */
export interface ScheduledCheck {
  readonly id: CheckId;
  readonly test: ProbedTest;
  readonly target: string;
  readonly address: string | null;
  readonly everyMs: number;
  readonly timeoutMs: number;
}

/** What an agent or edge is to check from now on, in place of what it was told before. */
export interface CheckOrder {
  readonly checks: readonly ScheduledCheck[];
  /**
   * Called for the hosts in `edgeHosts` where `isOther` says that it is another machine's, because the own one takes nothing from outside. Else the edge of
   * the own machine is called, and this is the server's, which older programs call.
   */
  readonly edge: { readonly address: string; readonly family: 4 | 6; readonly isOther?: true } | null;
  /** Called at the edge, although that may be on loopback. */
  readonly edgeHosts: readonly string[];
}

export type CheckReport =
  /** `ageMs`: how long before it was sent the attempt began, because clocks of machines differ. Left out by older programs. */
  | { readonly kind: "result"; readonly result: CheckResult; readonly ageMs?: number }
  /** It says nothing because it cannot be made; null: it can be again. */
  | {
      readonly kind: "impossible";
      readonly check: CheckId;
      readonly why: { readonly code: ErrorCode; readonly message: string; readonly hint: string } | null;
    };
