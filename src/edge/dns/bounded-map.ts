interface Held<V> {
  readonly value: V;
  readonly sizeBytes: number;
}

/** A map that lets go of what came in first once it holds too many entries or too many bytes. */
export class BoundedMap<V> {
  readonly #entries = new Map<string, Held<V>>();
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #onDrop: (key: string, value: V) => void;
  #bytes = 0;

  /** @param onDrop told of every entry that goes, for whatever reason. */
  constructor(bounds: { readonly entries: number; readonly bytes: number }, onDrop: (key: string, value: V) => void = () => {}) {
    this.#maxEntries = bounds.entries;
    this.#maxBytes = bounds.bytes;
    this.#onDrop = onDrop;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  set(key: string, value: V, sizeBytes: number): void {
    this.delete(key);
    if (sizeBytes > this.#maxBytes) return;
    this.#entries.set(key, { value, sizeBytes });
    this.#bytes += sizeBytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const held = this.#entries.get(key);
    if (held === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= held.sizeBytes;
    this.#onDrop(key, held.value);
  }
}
