import type { RouteId } from "#model/names.ts";

/** Routes whose requests wait for an instance, for whoever can start one. Holds each at most once, so it is bounded by the table. */
export class WantedRoutes {
  readonly #readers = new Set<Reader>();

  tell(route: RouteId): void {
    for (const reader of this.#readers) {
      reader.routes.add(route);
      reader.wake();
    }
  }

  /** What is told from now on, until the signal aborts. */
  async *read(signal: AbortSignal): AsyncGenerator<RouteId, void, void> {
    const reader: Reader = { routes: new Set(), wake: () => {} };
    this.#readers.add(reader);
    try {
      while (!signal.aborted) {
        for (const route of reader.routes) {
          reader.routes.delete(route);
          yield route;
        }
        if (reader.routes.size > 0 || signal.aborted) continue;
        await new Promise<void>((resolve) => {
          const wake = () => {
            signal.removeEventListener("abort", wake);
            resolve();
          };
          reader.wake = wake;
          signal.addEventListener("abort", wake, { once: true });
        });
      }
    } finally {
      this.#readers.delete(reader);
    }
  }
}

interface Reader {
  readonly routes: Set<RouteId>;
  wake: () => void;
}
