import type { Measurement } from "./measurement.ts";
import type { CheckId } from "./names.ts";
import type { Scope, Target } from "./target.ts";

/** Where a check can be made from. */
export type Vantage = "server" | "agent" | "edge";

/** What is tested. Texts may hold `{target}`, the name of the machine, pool or app that the check is expanded for. */
export type CheckTest =
  | {
      readonly kind: "http";
      readonly url: string;
      readonly method: "GET" | "HEAD" | "POST";
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string | null;
      readonly expect: HttpExpectation;
    }
  /** Every port accepts a connection; `host` null: the target itself. */
  | { readonly kind: "tcp"; readonly host: string | null; readonly ports: readonly number[] }
  | { readonly kind: "icmp"; readonly host: string | null }
  | {
      readonly kind: "dns";
      readonly name: string;
      readonly type: DnsType;
      readonly answers: readonly string[];
      readonly server: string | null;
    }
  /**
   * A command line, run by `sh`. `exit`: 0 passes. `nagios`: 0 passes, 1 passes with a warning, its first line and performance data are kept.
   * `cucumber`: the one-line summary of cucumber-nagios, `CUCUMBER OK - Critical: 0, Warning: 0, 4 okay | passed=4; …`.
   */
  | {
      readonly kind: "command";
      readonly run: string;
      readonly env: Readonly<Record<string, string>>;
      readonly output: "exit" | "nagios" | "cucumber";
    }
  /** A figure over the last `overMs` that must not be above or below a value. */
  | ({ readonly kind: "metric"; readonly is: "above" | "below"; readonly value: number } & Measurement)
  /** Fails when more than `most` events within `overMs` match the search, of the app that is the target, or of the space. */
  | { readonly kind: "log"; readonly search: string; readonly most: number; readonly overMs: number }
  /** Something must call in at least this often. */
  | { readonly kind: "heartbeat"; readonly withinMs: number }
  /** At least this many machines of the pool, or instances of the app, are ready. */
  | { readonly kind: "ready"; readonly least: number };

export type DnsType = "A" | "AAAA" | "CNAME" | "MX" | "NS" | "SRV" | "TXT";

export interface HttpExpectation {
  /** Empty: 200 to 399. */
  readonly status: readonly number[];
  /** Source of a regular expression that the body has to match. */
  readonly body: string | null;
  /** Header → exact value. */
  readonly headers: Readonly<Record<string, string>>;
  /** Path such as `$.status` → value. */
  readonly json: Readonly<Record<string, string | number | boolean | null>>;
  /** How long the certificate has to be good for still; null: not looked at beyond being valid. */
  readonly tlsLeftMs: number | null;
}

export type Weekday = "mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun";

/** A weekly window of local time. `untilMinute` below `fromMinute`: it goes on into the next day. */
export interface WeeklyHours {
  readonly days: readonly Weekday[];
  /** Minutes since local midnight, 0 to 1439. */
  readonly fromMinute: number;
  /** 1 to 1440. */
  readonly untilMinute: number;
  /** IANA name, such as `Europe/Berlin`. */
  readonly zone: string;
}

/** Planned work: what fails meanwhile is recorded and asks for nothing. */
export type Maintenance =
  | { readonly kind: "weekly"; readonly hours: WeeklyHours }
  | { readonly kind: "once"; readonly fromMs: number; readonly untilMs: number };

/** A promise that is tested from outside. */
export interface Check {
  readonly name: string;
  readonly test: CheckTest;
  /** What it is expanded for. */
  readonly each: Scope;
  /** Only this app, for a check that an app declares or that names one; null: every target of its scope. */
  readonly app: string | null;
  /** The level that it asks for; null: watched only. */
  readonly level: string | null;
  readonly everyMs: number;
  readonly timeoutMs: number;
  /** Failures in a row that make it failing. */
  readonly failures: number;
  readonly from: readonly Vantage[];
  /** Null: always expected. */
  readonly expected: WeeklyHours | null;
  readonly maintenance: readonly Maintenance[];
}

/** A check at one target. */
export interface ExpandedCheck {
  readonly id: CheckId;
  readonly check: Check;
  readonly target: Target;
}

export function checkId(name: string, target: Target): CheckId {
  return `${name}@${target}` as CheckId;
}

/** What one attempt from one place found. */
export interface CheckResult {
  readonly check: CheckId;
  /** The probe that made it: the server, or an agent or edge by its machine. */
  readonly probe: string;
  /** When the attempt began: what happened later it may not have seen. */
  readonly atMs: number;
  readonly isOk: boolean;
  /** In words, as people read it at three in the morning; at most a few hundred characters. */
  readonly message: string;
  /** As a Nagios plugin wrote it; missing where there is none. */
  readonly performance?: string;
}

/** What one probe last said of a check. */
export interface ProbeView {
  readonly atMs: number;
  readonly isOk: boolean;
  /** In a row; 0 after a success. */
  readonly failures: number;
  readonly message: string;
  readonly performance?: string;
}

export type CheckVerdict = "unknown" | "ok" | "failing";

/** What is known of an expanded check: what `foldResult` keeps, plain JSON. */
export interface CheckState {
  readonly id: CheckId;
  readonly verdict: CheckVerdict;
  /** Since when the verdict holds. */
  readonly sinceMs: number;
  /** Of the newest result; when it is old, the verdict says nothing any more. */
  readonly atMs: number;
  /** Whether the newest results, by majority, pass: may be so before the verdict changes, and the other way round. */
  readonly isPassing: boolean;
  readonly probes: Readonly<Record<string, ProbeView>>;
  /** When the verdict changed lately, oldest first. */
  readonly changesAtMs: readonly number[];
  readonly isFlapping: boolean;
  /** Of the newest result that speaks for the verdict. */
  readonly message: string;
}

/** A change of verdict with its evidence, for the history. */
export interface CheckChange {
  readonly check: CheckId;
  readonly atMs: number;
  readonly from: CheckVerdict;
  readonly to: CheckVerdict;
  /** What each probe said then. */
  readonly probes: Readonly<Record<string, ProbeView>>;
  readonly message: string;
}
