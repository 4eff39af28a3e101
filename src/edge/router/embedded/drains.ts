import type { InstanceId } from "#model/names.ts";
import type { Draining } from "#model/routing-table.ts";

/** Instances that are told of again to a server that connects later; more than leave the table in any restart of a server. */
const remembered = 1_000;

/** One running copy as the edge sees it, over all routes that lead to it. */
export interface Instance {
  readonly id: InstanceId;
  /** Requests and connections on it now. */
  open: number;
  /** Endpoints of it in the table; none means that it has left. */
  inTable: number;
}

/** Who left the table and what is still open there. */
export class Drains {
  readonly #instances = new Map<InstanceId, Instance>();
  readonly #left = new Map<InstanceId, number>();
  readonly #readers = new Set<Reader>();

  instance(id: InstanceId): Instance {
    let instance = this.#instances.get(id);
    if (instance === undefined) {
      instance = { id, open: 0, inTable: 0 };
      this.#instances.set(id, instance);
    }
    return instance;
  }

  entered(instance: Instance): void {
    instance.inTable++;
    this.#left.delete(instance.id);
    for (const reader of this.#readers) reader.news.delete(instance.id);
  }

  /** To be called once the change of the table that took it out is complete. */
  left(instance: Instance): void {
    if (instance.inTable > 0) return;
    this.#tell(instance);
  }

  opened(instance: Instance): void {
    instance.open++;
  }

  closed(instance: Instance): void {
    instance.open--;
    if (instance.inTable === 0) this.#tell(instance);
  }

  async *read(signal: AbortSignal): AsyncGenerator<Draining, void, void> {
    const reader: Reader = { news: new Map(this.#left), wake: null };
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

  #tell({ id, open }: Instance): void {
    this.#left.delete(id);
    this.#left.set(id, open);
    if (open === 0) {
      this.#instances.delete(id);
      this.#forgetOldest();
    }
    for (const reader of this.#readers) {
      // Only the newest count of each instance waits for a slow reader, so what waits is bounded by the instances.
      reader.news.set(id, open);
      reader.wake?.();
    }
  }

  #forgetOldest(): void {
    if (this.#left.size <= remembered) return;
    for (const [id, open] of this.#left) {
      if (open > 0) continue;
      this.#left.delete(id);
      return;
    }
  }
}

interface Reader {
  readonly news: Map<InstanceId, number>;
  wake: (() => void) | null;
}
