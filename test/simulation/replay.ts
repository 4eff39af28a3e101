import { runHistory } from "./history.ts";

// Replays one seed and prints all that happened: node test/simulation/replay.ts SEED
const seed = Number(process.argv[2]);
const { trace, problems } = await runHistory(seed);
process.stdout.write(`${trace.join("\n")}\n${problems.length === 0 ? "all promises kept" : problems.join("\n")}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
