/** What a probe has said lately. */
export interface Verdict {
  readonly good: boolean;
  /** Failures in a row. */
  readonly failures: number;
}

/** One success makes it good; it takes `needed` failures in a row to make it bad again. */
export function nextVerdict(verdict: Verdict, passed: boolean, needed: number): Verdict {
  if (passed) return { good: true, failures: 0 };
  const failures = verdict.failures + 1;
  return { good: verdict.good && failures < needed, failures };
}
