import { runFleetHistory } from "./history.ts";

// Replays one seed and prints all that happened: node test/simulation/fleet/replay.ts SEED
const seed = Number(process.argv[2]);
const { trace, problems } = await runFleetHistory(seed);
process.stdout.write(`${trace.join("\n")}\n${problems.length === 0 ? "all promises kept" : problems.join("\n")}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
