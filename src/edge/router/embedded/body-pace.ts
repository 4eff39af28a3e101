/** Kept between a client that sends a body and its limit. */
export interface Pace {
  /** The least that has to come on average, in bytes a second; 0: anything, as long as something comes. */
  readonly bytesPerSecond: number;
  /** How long nothing at all may come. A client that is as far behind its rate as that would leave it is too slow. */
  readonly idleMs: number;
}

/**
 * How long a client has until it sends its request's body too slowly. Each byte earns the time that it may take at the least rate, up to `idleMs`
 * ahead: what came fast is no credit for dripping later. Only time in which the client could have sent counts, not that in which the edge read
 * nothing because the app was slow. Times are of the monotonic clock.
 */
export class BodyPace {
  readonly #pace: Pace;
  #dueMs: number;
  /** Null: it is read. */
  #pausedMs: number | null = null;

  constructor(pace: Pace, nowMs: number) {
    this.#pace = pace;
    this.#dueMs = nowMs + pace.idleMs;
  }

  /** By when more has to come or, while nothing is read, the app has to have taken some. */
  get deadlineMs(): number {
    return this.#pausedMs === null ? this.#dueMs : this.#pausedMs + this.#pace.idleMs;
  }

  took(bytes: number, nowMs: number): void {
    const { bytesPerSecond, idleMs } = this.#pace;
    const earnedMs = bytesPerSecond === 0 ? idleMs : (bytes / bytesPerSecond) * 1_000;
    this.#dueMs = Math.min(nowMs + idleMs, this.#dueMs + earnedMs);
  }

  /** Nothing is read from now on. */
  pause(nowMs: number): void {
    this.#pausedMs ??= nowMs;
  }

  resume(nowMs: number): void {
    if (this.#pausedMs === null) return;
    this.#dueMs += nowMs - this.#pausedMs;
    this.#pausedMs = null;
  }
}
