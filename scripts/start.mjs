// `npm start`: everything from a fresh clone to a running example space, and the next time just the start.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { installDependencies, root } from "./setup.mjs";

installDependencies();
const drover = spawn(join(root, "bin", "drover"), ["up", "--apply", join(root, "examples", "shop"), ...process.argv.slice(2)], {
  stdio: "inherit",
});
// Ctrl-C reaches the whole foreground group, Drover included; a signal sent to this process alone is passed on.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => drover.kill("SIGTERM"));
drover.on("exit", (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)));
