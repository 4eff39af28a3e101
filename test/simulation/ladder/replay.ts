import { runLadderHistory } from "./history.ts";

// Replays one seed and prints all that happened: node test/simulation/ladder/replay.ts SEED
const { trace, problems } = runLadderHistory(Number(process.argv[2]));
process.stdout.write(`${trace.join("\n")}\n${problems.length === 0 ? "all promises kept" : problems.join("\n")}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
