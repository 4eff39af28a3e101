import type { AppId } from "./names.ts";

/** A user's command line that looks and changes nothing, run by an agent for the server: the list of a provider of machines. */
export interface LookOrder {
  /** As whose user it runs: the app under which commands of the same space act. */
  readonly app: AppId;
  readonly run: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Bytes of its standard output that are wanted. */
  readonly longestAnswer: number;
}

export interface LookAnswer {
  /** Null when it was ended because its time was over. */
  readonly exitCode: number | null;
  /** The beginning of its standard output. */
  readonly answer: string;
  readonly isAnswerCut: boolean;
  /** The beginning of all that it said, for people. */
  readonly output: string;
}
