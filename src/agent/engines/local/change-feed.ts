import type { EngineChange } from "#model/workload.ts";

/** A reader that is further behind gets everything anew: that is shorter than what it missed. */
const longestBacklog = 10_000;

/** Hands every change to every reader, in order. */
export interface ChangeFeed {
  publish(change: Exclude<EngineChange, { kind: "snapshot" }>): void;
  read(signal: AbortSignal): AsyncGenerator<EngineChange, void, void>;
}

export function createChangeFeed(snapshot: () => EngineChange): ChangeFeed {
  const readers = new Set<{ backlog: EngineChange[]; wake: () => void }>();
  return {
    publish: (change) => {
      for (const reader of readers) {
        if (reader.backlog[0]?.kind === "snapshot") continue;
        reader.backlog.push(change);
        if (reader.backlog.length > longestBacklog) reader.backlog = [{ kind: "snapshot", workloads: [], instances: [] }];
        reader.wake();
      }
    },
    async *read(signal) {
      const reader = { backlog: [{ kind: "snapshot", workloads: [], instances: [] }] as EngineChange[], wake: () => {} };
      readers.add(reader);
      const onAbort = () => reader.wake();
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        while (!signal.aborted) {
          const change = reader.backlog.shift();
          // A snapshot in the backlog only stands for one: it is taken when it is read, so that it is never older than what follows.
          if (change !== undefined) yield change.kind === "snapshot" ? snapshot() : change;
          else await new Promise<void>((resolve) => (reader.wake = resolve));
        }
      } finally {
        readers.delete(reader);
        signal.removeEventListener("abort", onAbort);
      }
    },
  };
}
