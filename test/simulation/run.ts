import { type Kind, playHistories } from "./many.ts";

// Many histories on every core, stopping at the first broken promise: node test/simulation/run.ts ladder|deploys|fleet [HISTORIES] [FIRST_SEED]
const [kind = "ladder", histories = "10000", first = "1"] = process.argv.slice(2);
if (kind !== "ladder" && kind !== "deploys" && kind !== "fleet")
  throw new Error(`there are histories of "ladder", of "deploys" and of "fleet", not of "${kind}"`);
const startedAt = performance.now();
await playHistories(kind satisfies Kind, Number(histories), Number(first));
const { user, system } = process.cpuUsage();
const [tookS, cpuS] = [(performance.now() - startedAt) / 1_000, (user + system) / 1e6];
console.log(`${histories} histories of ${kind}, every promise kept, in ${tookS.toFixed(1)} s and ${cpuS.toFixed(1)} s of processors`);
