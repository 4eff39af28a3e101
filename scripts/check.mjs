// `npm run check`: everything that can be said about the code without running it. Plain JavaScript, as setup.mjs says.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { delimiter, join } from "node:path";
import { installDependencies, root } from "./setup.mjs";

installDependencies();

/** The slowest first: the others are done in its time, as it keeps one core busy and they the other. */
const checks = [
  ["types", "tsc"],
  ["lint and format", "biome check ."],
  ["types of the web UI", "tsc -p src/web"],
  ["arrows between folders", "depcruise src"],
  ["dead code", "knip"],
  ["generated files", "node scripts/generate.ts --check"],
];
const atOnce = 2;

const environment = { ...process.env, PATH: [join(root, "node_modules", ".bin"), process.env.PATH].join(delimiter) };
let isBad = false;

/** Prints what a check says only when it has ended, so that two of them never mix, and nothing of one that passes. */
async function run([title, command]) {
  const [program, ...args] = command.split(" ");
  const child = spawn(program, args, { cwd: root, env: environment, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (said += text));
  const [status] = await once(child, "close");
  if (status === 0) return;
  isBad = true;
  console.error(`\n${title}: \`${command}\` found\n${said}`);
}

const waiting = [...checks];
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await run(next);
  }),
);
if (isBad) process.exit(1);
