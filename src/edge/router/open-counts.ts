import type { InstanceId } from "#model/names.ts";
import type { Draining } from "#model/routing-table.ts";

/** Instances that are told of again to a server that connects later; more than leave the table in any restart of a server. */
const remembered = 1_000;

/** The newest open count of each instance that left the table, for any number of readers. */
export class OpenCounts {
  readonly #counts = new Map<InstanceId, number>();
  readonly #readers = new Set<Reader>();

  tell(id: InstanceId, open: number): void {
    this.#counts.delete(id);
    this.#counts.set(id, open);
    if (open === 0 && this.#counts.size > 2 * remembered) this.#forgetOldest();
    for (const reader of this.#readers) {
      // Only the newest count of each instance waits for a slow reader, so what waits is bounded by the instances.
      reader.news.set(id, open);
      reader.wake?.();
    }
  }

  /** Whether there is nothing to forget. */
  get isEmpty(): boolean {
    if (this.#counts.size > 0) return false;
    for (const { news } of this.#readers) if (news.size > 0) return false;
    return true;
  }

  /** The instance is in the table again. */
  forget(id: InstanceId): void {
    this.#counts.delete(id);
    for (const reader of this.#readers) reader.news.delete(id);
  }

  /** First those told before the call. Endless, until the signal aborts. */
  async *read(signal: AbortSignal): AsyncGenerator<Draining, void, void> {
    const reader: Reader = { news: new Map(this.#counts), wake: null };
    const wake = () => reader.wake?.();
    signal.addEventListener("abort", wake, { once: true });
    this.#readers.add(reader);
    try {
      while (!signal.aborted) {
        for (const [instance, open] of reader.news) {
          reader.news.delete(instance);
          yield { instance, open };
        }
        if (reader.news.size === 0 && !signal.aborted) await new Promise<void>((resolve) => (reader.wake = resolve));
      }
    } finally {
      this.#readers.delete(reader);
      signal.removeEventListener("abort", wake);
    }
  }

  /** Many at once: to find the oldest, everything that was taken out before it has to be stepped over. */
  #forgetOldest(): void {
    for (const [id, open] of this.#counts) {
      if (this.#counts.size <= remembered) return;
      if (open === 0) this.#counts.delete(id);
    }
  }
}

interface Reader {
  readonly news: Map<InstanceId, number>;
  wake: (() => void) | null;
}
