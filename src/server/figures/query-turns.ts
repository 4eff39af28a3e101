import { DroverError } from "#model/errors.ts";

/** Questions that are answered at once: each may hold some 32 MB. */
const mostAtOnce = 4;
/** Of one caller, so that nobody's page of graphs keeps others waiting. */
const mostOfOne = 2;
/** Of one caller that wait: more graphs than a page has. */
const mostWaiting = 50;

interface Waiting {
  readonly caller: string;
  readonly begin: () => void;
}

/** Lets questions about figures have their turns: a few at once, few of them of one caller, and no more waiting than a page of graphs asks. */
export class QueryTurns {
  readonly #running = new Map<string, number>();
  #waiting: Waiting[] = [];

  /**
   * Resolves or rejects as the task does, which begins once there is room. A caller that goes away gives its place up.
   * @param caller who asks, as one text
   * @throws {DroverError} OVERLOADED
   */
  async run<T>(caller: string, task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#turn(caller, signal);
    try {
      return await task();
    } finally {
      const left = (this.#running.get(caller) ?? 1) - 1;
      if (left === 0) this.#running.delete(caller);
      else this.#running.set(caller, left);
      this.#next();
    }
  }

  #turn(caller: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#mayRun(caller)) {
      this.#note(caller);
      return Promise.resolve();
    }
    if (this.#waiting.filter((one) => one.caller === caller).length >= mostWaiting)
      throw new DroverError("OVERLOADED", `${mostWaiting} questions about figures wait already`, {
        hint: "Wait for some answers before you ask for more.",
      });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = () => {
      this.#waiting = this.#waiting.filter((one) => one !== entry);
      reject(signal.reason);
    };
    const entry: Waiting = {
      caller,
      begin: () => {
        signal.removeEventListener("abort", leave);
        resolve();
      },
    };
    signal.addEventListener("abort", leave, { once: true });
    this.#waiting.push(entry);
    return promise;
  }

  #mayRun(caller: string): boolean {
    let all = 0;
    for (const count of this.#running.values()) all += count;
    return all < mostAtOnce && (this.#running.get(caller) ?? 0) < mostOfOne;
  }

  #note(caller: string): void {
    this.#running.set(caller, (this.#running.get(caller) ?? 0) + 1);
  }

  #next(): void {
    for (const entry of [...this.#waiting]) {
      if (!this.#mayRun(entry.caller)) continue;
      this.#waiting = this.#waiting.filter((one) => one !== entry);
      this.#note(entry.caller);
      entry.begin();
    }
  }
}
