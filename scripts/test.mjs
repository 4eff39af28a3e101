// `npm test`: sets up everything that the tests need, then runs the checks and the tests; `npm run test:long` those of test/long, which take
// minutes. Plain JavaScript, as setup.mjs says.
import { spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";
import { installDependencies, pinnedNode, root } from "./setup.mjs";
import { installSystemPackages, unpackedPath } from "./system-packages.mjs";

installDependencies();
installSystemPackages();

const environment = {
  ...process.env,
  PATH: [join(root, "node_modules", ".bin"), unpackedPath, process.env.PATH].join(delimiter),
  // Each file of tests is a process of its own that reads much of the same code: without this, half of its time.
  NODE_COMPILE_CACHE: join(root, "node_modules", ".cache", "drover"),
};
// Tests make homes of their own; one that is set by a user must not be touched.
for (const name of ["DROVER_HOME", "DROVER_URL", "DROVER_TOKEN", "DROVER_CA"]) delete environment[name];

function run(title, command, args) {
  console.log(`\n${title}`);
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit", env: environment });
  if (status !== 0) process.exit(status ?? 1);
}

const chosen = process.argv.slice(2);
const isLong = chosen[0] === "--long";
if (chosen.length === 0)
  run("checks: lint, format, types, arrows between folders, dead code, generated files", "npm", ["run", "--silent", "check"]);

// Node 20 has no glob for this; the shell patterns are expanded by the pinned Node's test runner.
const quick = ["src/**/*.test.ts", "test/!(long)/**/*.test.ts"];
const files = isLong ? ["test/long/*.test.ts"] : chosen.length > 0 ? chosen : quick;
run(isLong ? "long tests" : "tests", pinnedNode(), [
  "--test",
  "--test-concurrency=2",
  `--test-timeout=${isLong ? 600_000 : 300_000}`,
  ...files,
]);
if (chosen.length === 0) console.log("\nnot run: the tests of whole fleets, which take minutes (npm run test:long)");
