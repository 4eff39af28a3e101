/** A refusal in the authority's own words (RFC 8555, section 6.7). */
export class AcmeProblem extends Error {
  override readonly name = "AcmeProblem";
  /** Without its URN, such as `rateLimited`. */
  readonly type: string;
  readonly status: number;
  /** How long it wants to be left alone; null if it did not say. */
  readonly retryAfterMs: number | null;

  constructor(type: string, detail: string, status: number, retryAfterMs: number | null) {
    super(detail === "" ? type : `${detail} (${type})`);
    this.type = type;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}
