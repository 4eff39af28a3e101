import type { AppId } from "./names.ts";

/** What of a failed command's words goes into an error: the line that says most. */
const longestWords = 200;

/** A user's command line that looks and changes nothing, run by an agent for the server: the list of a provider of machines, or how many instances there are to be. */
export interface LookOrder {
  /** As whose user it runs: the app under which commands of the same space act, or the one that it is of. */
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

/** The first line that speaks of an error, or the last of all: programs end their words with it, or begin a long trace with it. */
export function errorLine(output: string): string {
  const lines = output.split("\n").flatMap((line) => (line.trim() === "" ? [] : [line.trim()]));
  const line = lines.find((one) => /\b(error|failed|fatal|denied|refused)\b/i.test(one)) ?? lines.at(-1) ?? "";
  return line.slice(0, longestWords);
}
