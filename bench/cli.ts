// `drover ps` as a whole process, against a Drover with one app; and an empty Node process in the same run, which is the least that one can take.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { droverBin, TestDrover } from "../test/harness/drover.ts";
import { npmPeer, quantile, report, skip, timed } from "./lib.ts";

const rounds = 40;

async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn(command, args, { env, stdio: "ignore" });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}`);
}

async function times(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number[]> {
  const figures: number[] = [];
  // The first two fill the caches of the compiler and of the disk.
  for (let round = -2; round < rounds; round++) {
    const figure = await timed(() => run(command, args, env));
    if (round >= 0) figures.push(figure);
  }
  return figures;
}

await using drover = await TestDrover.start();
await drover.apply("app: small\nrun: exec sleep 1000\nport: none\n");
const empty = quantile(await times(process.execPath, ["-e", "0"], drover.environment), 0.5);
const ps = await times(droverBin, ["ps"], drover.environment);
const [middle, slow] = [quantile(ps, 0.5), quantile(ps, 0.99)];
report("drover ps, whole process, p50", middle, "ms", { peer: ["empty Node", empty], goal: "< 150 ms", ok: middle < 150 });
report("drover ps, whole process, p99", slow, "ms", { goal: "< 150 ms", ok: slow < 150 });

const pm2 = await npmPeer("pm2");
if (pm2 === null) skip("pm2 list, whole process, p50", "pm2 could not be installed");
else {
  const environment = { ...drover.environment, PM2_HOME: `${drover.home}/pm2` };
  try {
    const list = quantile(await times(process.execPath, [pm2, "list"], environment), 0.5);
    report("drover ps against pm2 list, p50", middle, "ms", { peer: ["pm2", list] });
  } finally {
    await run(process.execPath, [pm2, "kill"], environment);
  }
}
