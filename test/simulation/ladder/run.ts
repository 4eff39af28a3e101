import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { runLadderHistory } from "./history.ts";

// Many histories on every core, stopping at the first broken promise: node test/simulation/ladder/run.ts [HISTORIES] [FIRST_SEED]

interface Share {
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

if (isMainThread) {
  const histories = Number(process.argv[2] ?? 10_000);
  const first = Number(process.argv[3] ?? 1);
  const workers = Math.min(availableParallelism(), histories);
  const startedAt = performance.now();
  const shares = Array.from({ length: workers }, (_, i): Share => ({ first: first + i, last: first + histories - 1, step: workers }));
  const counts = await Promise.all(shares.map(runShare));
  const actions = counts.reduce((sum, count) => sum + count, 0);
  console.log(
    `${histories} histories, ${actions} actions, every promise kept, in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`,
  );
} else {
  const { first, last, step } = workerData as Share;
  let starts = 0;
  for (let seed = first; seed <= last; seed += step) {
    const history = runLadderHistory(seed);
    starts += history.starts;
    if (history.problems.length > 0)
      throw new Error(`seed ${seed}: ${history.problems.join("; ")}\nreplay it with: node test/simulation/ladder/replay.ts ${seed}`);
  }
  parentPort?.postMessage(starts);
}

function runShare(share: Share): Promise<number> {
  return new Promise((resolve) => {
    // Plans are short-lived: with room for many of them, little is left to be collected.
    const worker = new Worker(new URL(import.meta.url), { workerData: share, resourceLimits: { maxYoungGenerationSizeMb: 96 } });
    worker.once("message", resolve);
    worker.once("error", (error) => {
      console.error(error.message);
      process.exit(1);
    });
  });
}
