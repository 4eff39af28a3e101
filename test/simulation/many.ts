import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

/** What histories are played of, and what plays one: it tells its broken promises. */
const kinds = {
  ladder: async () => (await import("./ladder/history.ts")).runLadderHistory,
  deploys: async () => (await import("./history.ts")).runHistory,
  fleet: async () => (await import("./fleet/history.ts")).runFleetHistory,
} as const;
const replays: Readonly<Record<Kind, string>> = {
  ladder: "test/simulation/ladder/replay.ts",
  deploys: "test/simulation/replay.ts",
  fleet: "test/simulation/fleet/replay.ts",
};

export type Kind = keyof typeof kinds;

interface Share {
  readonly kind: Kind;
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

/** Fewer are played before a second thread has loaded what it needs. */
const worthThreads = 2_000;
/** Plans are short-lived: with room for many of them, little is left to be collected. */
const resourceLimits = { maxYoungGenerationSizeMb: 96 };

if (!isMainThread && workerData !== null) {
  await playShare(workerData as Share);
  parentPort?.postMessage("done");
}

/**
 * Plays histories, many of them on every core, and stops at the first broken promise.
 * @throws {Error} that names the seed, what was broken, and the command that replays it.
 */
export async function playHistories(kind: Kind, histories: number, first: number): Promise<void> {
  const last = first + histories - 1;
  if (histories < worthThreads) return playShare({ kind, first, last, step: 1 });
  const step = availableParallelism();
  const workers = Array.from({ length: step }, (_, i) => {
    const share: Share = { kind, first: first + i, last, step };
    return new Worker(new URL(import.meta.url), { workerData: share, resourceLimits });
  });
  try {
    await Promise.all(workers.map(endOf));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

async function playShare({ kind, first, last, step }: Share): Promise<void> {
  const play = await kinds[kind]();
  for (let seed = first; seed <= last; seed += step) {
    const { problems } = await play(seed);
    if (problems.length > 0) throw new Error(`seed ${seed}: ${problems.join("; ")}\nreplay it with: node ${replays[kind]} ${seed}`);
  }
}

function endOf(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => worker.once("message", () => resolve()).once("error", reject));
}
