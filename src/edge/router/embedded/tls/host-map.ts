/** Finds by host name: the exact one first, then `*.` in place of its first label, then `*` alone. */
export class HostMap<T> {
  readonly #hosts = new Map<string, T>();

  get size(): number {
    return this.#hosts.size;
  }

  get(host: string): T | undefined {
    const exact = this.#hosts.get(host);
    if (exact !== undefined) return exact;
    const dot = host.indexOf(".");
    return (dot === -1 ? undefined : this.#hosts.get(`*${host.slice(dot)}`)) ?? this.#hosts.get("*");
  }

  values(): Iterable<T> {
    return this.#hosts.values();
  }

  set(host: string, value: T): void {
    this.#hosts.set(normal(host), value);
  }

  delete(host: string): void {
    this.#hosts.delete(normal(host));
  }
}

function normal(host: string): string {
  const lower = host.toLowerCase();
  return lower.endsWith(".") ? lower.slice(0, -1) : lower;
}
