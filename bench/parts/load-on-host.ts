import { once } from "node:events";
import { type LoadOptions, startLoad } from "../../test/harness/load.ts";

// Steady requests from within a test host: their options as JSON on the command line, until standard input ends; then what became of them, as JSON.

const load = startLoad(JSON.parse(process.argv[2] ?? "{}") as LoadOptions);
process.stdin.resume();
await once(process.stdin, "end");
process.stdout.write(JSON.stringify(await load.stop()));
