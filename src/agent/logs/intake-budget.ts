/** A steady allowance of bytes with a reserve, on a monotonic clock. */
export interface BudgetRule {
  readonly bytesPerSecond: number;
  readonly burstBytes: number;
}

/**
 * What one app may add to the logs. Once the reserve is used up, nothing passes until a good part of it is back: a flood then shows as
 * stretches of whole lines with a count between them, not as a notice after every line.
 */
export class IntakeBudget {
  readonly #rule: BudgetRule;
  #bytes: number;
  #atMs: number;
  #isSpent = false;

  constructor(rule: BudgetRule, nowMs: number) {
    this.#rule = rule;
    this.#bytes = rule.burstBytes;
    this.#atMs = nowMs;
  }

  /** Takes `bytes` and says true, or says false and takes nothing. */
  take(bytes: number, nowMs: number): boolean {
    const { bytesPerSecond, burstBytes } = this.#rule;
    this.#bytes = Math.min(burstBytes, this.#bytes + ((nowMs - this.#atMs) / 1_000) * bytesPerSecond);
    this.#atMs = nowMs;
    if (this.#isSpent && this.#bytes < Math.min(burstBytes, bytesPerSecond / 2)) return false;
    this.#isSpent = this.#bytes < bytes;
    if (this.#isSpent) return false;
    this.#bytes -= bytes;
    return true;
  }
}
