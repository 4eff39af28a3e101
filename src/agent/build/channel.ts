/** A bounded queue from one writer side to one reader: `push` waits while it is full, so a slow reader slows the writers down. */
export class Channel<Value> implements AsyncIterable<Value> {
  readonly #bound: number;
  readonly #values: Value[] = [];
  #isClosed = false;
  #wakeReader: (() => void) | null = null;
  #wakeWriters: (() => void)[] = [];

  constructor(bound: number) {
    this.#bound = bound;
  }

  /** Resolves once there is room; at once and without effect when the channel is closed. */
  async push(value: Value): Promise<void> {
    while (this.#values.length >= this.#bound && !this.#isClosed) await new Promise<void>((wake) => this.#wakeWriters.push(wake));
    if (this.#isClosed) return;
    this.#values.push(value);
    this.#wakeReader?.();
  }

  /** No more values: the reader gets those that are there and then the end; waiting writers go on. */
  close(): void {
    this.#isClosed = true;
    this.#wakeReader?.();
    this.#wakeAllWriters();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Value, void, void> {
    for (;;) {
      const values = this.#values.splice(0);
      this.#wakeAllWriters();
      yield* values;
      if (this.#values.length > 0) continue;
      if (this.#isClosed) return;
      await new Promise<void>((wake) => {
        this.#wakeReader = wake;
      });
      this.#wakeReader = null;
    }
  }

  #wakeAllWriters(): void {
    for (const wake of this.#wakeWriters.splice(0)) wake();
  }
}
