import type { LogContext, LogContextAnswer, LogCount, LogCountAnswer, LogSearch, LogSearchAnswer } from "#model/log-event.ts";
import type { MachineId } from "#model/names.ts";
import type { SearchedSegment } from "../app-log.ts";

/** What the thread that searches is asked; plain data. */
export interface ScanJob {
  readonly machine: MachineId;
  /** Who asks: questions of one wait for each other. */
  readonly by: string;
  readonly segments: readonly SearchedSegment[];
  readonly ask: ScanQuestion;
}

export type ScanQuestion =
  | { readonly kind: "search"; readonly search: LogSearch }
  | { readonly kind: "count"; readonly count: LogCount }
  | { readonly kind: "context"; readonly context: LogContext };

/** By the question's kind. */
export interface ScanAnswers {
  readonly search: LogSearchAnswer;
  readonly count: LogCountAnswer;
  readonly context: LogContextAnswer;
}

export type ScanReply = { readonly answer: ScanAnswers[keyof ScanAnswers] } | { readonly failure: string };
