import { runLadderHistory } from "./history.ts";

// Many histories, stopping at the first broken promise: node test/simulation/ladder/run.ts [HISTORIES] [FIRST_SEED]
const histories = Number(process.argv[2] ?? 10_000);
const first = Number(process.argv[3] ?? 1);
const startedAt = performance.now();
let starts = 0;
for (let seed = first; seed < first + histories; seed++) {
  const history = runLadderHistory(seed);
  starts += history.starts;
  if (history.problems.length === 0) continue;
  console.error(`seed ${seed}: ${history.problems.join("; ")}\nreplay it with: node test/simulation/ladder/replay.ts ${seed}`);
  process.exit(1);
}
console.log(`${histories} histories, ${starts} actions, every promise kept, in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
