interface Held<V> {
  readonly value: V;
  readonly sizeBytes: number;
}

/** A map that lets go of what came in first once it holds too many entries or too many bytes. */
export class BoundedMap<V, K = string> {
  readonly #entries = new Map<K, Held<V>>();
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #onDrop: (key: K, value: V) => void;
  #bytes = 0;

  /** @param onDrop told of every entry that goes, for whatever reason. */
  constructor(bounds: { readonly entries: number; readonly bytes: number }, onDrop: (key: K, value: V) => void = () => {}) {
    this.#maxEntries = bounds.entries;
    this.#maxBytes = bounds.bytes;
    this.#onDrop = onDrop;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    return this.#entries.get(key)?.value;
  }

  set(key: K, value: V, sizeBytes: number): void {
    this.delete(key);
    if (sizeBytes > this.#maxBytes) return;
    this.#entries.set(key, { value, sizeBytes });
    this.#bytes += sizeBytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) break;
      this.delete(oldest);
    }
  }

  delete(key: K): void {
    const held = this.#entries.get(key);
    if (held === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= held.sizeBytes;
    this.#onDrop(key, held.value);
  }
}
