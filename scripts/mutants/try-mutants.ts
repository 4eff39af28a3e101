// A thread in which mutants are tried, one after the other: every mutant is a set of modules of its own, told apart by a query, with one file of
// them changed as it is loaded. So no process is started and no file is written for any of them.
import { readFileSync } from "node:fs";
import { registerHooks, stripTypeScriptTypes } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import type * as History from "../../test/simulation/ladder/history.ts";
import type { Mutant } from "./find-mutants.ts";
import type * as Harness from "./harness.ts";

export interface Trial {
  readonly mutant: Mutant | null;
  /** The whole file of the mutant, changed. */
  readonly text: string;
}

export interface TrialSetup {
  readonly root: string;
  readonly tests: readonly string[];
  /** Seeds of the histories that come after the tests. */
  readonly seeds: readonly number[];
}

const { root, tests, seeds } = workerData as TrialSetup;
const base = pathToFileURL(`${root}/`).href;
/** What a mutant may be seen through: loaded anew for each. */
const own = ["src/plan/", "test/simulation/"].map((folder) => base + folder);
const harness = new URL("harness.ts", import.meta.url).href;
/** The files that are loaded for every mutant, without their types: to take those out once is enough. */
const plain = new Map<string, string>();
let trial = 0;
let changed: { readonly url: string; readonly text: string } | null = null;

registerHooks({
  resolve(specifier, context, nextResolve) {
    const query = /\?trial=\d+$/.exec(context.parentURL ?? "")?.[0];
    if (query === undefined) return nextResolve(specifier, context);
    if (specifier === "node:test") return { url: harness + query, format: "module", shortCircuit: true };
    const resolved = nextResolve(specifier, context);
    return own.some((folder) => resolved.url.startsWith(folder)) ? { ...resolved, url: resolved.url + query } : resolved;
  },
  load(url, context, nextLoad) {
    const file = url.replace(/\?trial=\d+$/, "");
    if (file === url) return nextLoad(url, context);
    if (file === changed?.url) return { format: "module", source: stripTypeScriptTypes(changed.text), shortCircuit: true };
    const source = plain.get(file) ?? stripTypeScriptTypes(readFileSync(fileURLToPath(file), "utf8"));
    plain.set(file, source);
    return { format: "module", source, shortCircuit: true };
  },
});

/** What noticed the mutant; null if nothing did. */
async function noticedBy({ mutant, text }: Trial): Promise<string | null> {
  trial++;
  changed = mutant === null ? null : { url: base + mutant.file, text };
  const load = (file: string) => import(`${file}?trial=${trial}`);
  const collected = (await load(harness)) as typeof Harness;
  const folder = dirname(mutant?.file ?? "");
  // Its neighbours know it best.
  for (const file of [...tests].sort((a, b) => Number(dirname(b) === folder) - Number(dirname(a) === folder))) {
    try {
      await load(base + file);
      for (const { run } of collected.tests) await run();
      collected.tests.length = 0;
    } catch {
      return file;
    }
  }
  const { runLadderHistory } = (await load(`${base}test/simulation/ladder/history.ts`)) as typeof History;
  for (const seed of seeds) {
    try {
      if (runLadderHistory(seed).problems.length > 0) return `history ${seed}`;
    } catch {
      return `history ${seed}`;
    }
  }
  return null;
}

parentPort?.on("message", async (message: Trial) => parentPort?.postMessage(await noticedBy(message)));
