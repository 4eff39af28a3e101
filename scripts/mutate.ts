// Breaks the planners of the Escalator on purpose, one small change at a time, and counts how many of them the tests notice.
//   npm run mutate                    every mutant of src/plan/ladder and src/plan/checks
//   npm run mutate -- climb.ts 2      of the files whose path holds a text, every second mutant
// Own, because it needs only what is here: the TypeScript parser, and Node that runs what comes out.
import { readdir, readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { findMutants, type Mutant } from "./mutants/find-mutants.ts";
import { ignored } from "./mutants/ignored.ts";
import type { Trial, TrialSetup } from "./mutants/try-mutants.ts";

const root = join(import.meta.dirname, "..");
const folders = ["src/plan/ladder", "src/plan/checks"];
/** Share of mutants that have to be caught. */
const goal = 0.95;
/** A mutant that takes so many times as long as no mutant at all never ends: as good as a failed test. */
const longestShare = 10;
/** Nobody waits longer than this for an answer; what was not tried by then counts as not caught. */
const longestMs = 30 * 60_000;
/** Every mutant leaves its modules behind: a thread is given up before they are too many. */
const mostTrials = 30;
/** A mutant that fills memory is stopped before it fills the machine's. */
const mostMemoryMb = 600;
const setup: Omit<TrialSetup, "tests"> = { root, seeds: Array.from({ length: 40 }, (_, i) => 500 + i) };

/** A thread that tries mutants, and is replaced when one of them never ends or too many were tried. */
class Bench {
  readonly #tests: readonly string[];
  #worker: Worker | null = null;
  #trials = 0;

  constructor(tests: readonly string[]) {
    this.#tests = tests;
  }

  /** What noticed the mutant; null if nothing did. */
  async try(trial: Trial, longestMs: number): Promise<string | null> {
    if (this.#trials++ % mostTrials === 0) await this.close();
    const worker = (this.#worker ??= new Worker(new URL("mutants/try-mutants.ts", import.meta.url), {
      workerData: { ...setup, tests: this.#tests } satisfies TrialSetup,
      resourceLimits: { maxOldGenerationSizeMb: mostMemoryMb },
    }));
    const { promise, resolve } = Promise.withResolvers<string | null>();
    const crash = () => resolve("a crash");
    const timer = setTimeout(resolve, longestMs, "time");
    worker.on("message", resolve).on("error", crash);
    worker.postMessage(trial);
    const noticed = await promise;
    clearTimeout(timer);
    worker.off("message", resolve).off("error", crash);
    if (noticed === "time" || noticed === "a crash") await this.close();
    return noticed;
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = null;
  }
}

async function filesOf(folder: string, isWanted: (name: string) => boolean): Promise<readonly string[]> {
  const names = (await readdir(join(root, folder))).filter((name) => name.endsWith(".ts") && isWanted(name));
  return names.sort().map((name) => join(folder, name));
}

const [only = "", everyText = "1"] = process.argv.slice(2);
const startedAt = performance.now();
const tests = (await Promise.all(folders.map((folder) => filesOf(folder, (name) => name.endsWith(".test.ts"))))).flat();
const files = (await Promise.all(folders.map((folder) => filesOf(folder, (name) => !name.endsWith(".test.ts"))))).flat();
const texts = new Map<string, string>();
for (const file of files.filter((one) => one.includes(only))) texts.set(file, await readFile(join(root, file), "utf8"));
const found = [...texts].flatMap(([file, text]) => findMutants(file, text));
const isIgnored = ({ file, name }: Mutant) => ignored.some((one) => one.file === file && one.mutants.includes(name));
const stale = ignored
  .filter(({ file }) => texts.has(file))
  .flatMap(({ file, mutants }) => mutants.filter((name) => !found.some((one) => one.file === file && one.name === name)));
for (const name of stale) console.log(`ignored, but there is no such mutant: ${name}`);
const all = found.filter((mutant) => !isIgnored(mutant)).filter((_, i) => i % Number(everyText) === 0);

const benches = Array.from({ length: availableParallelism() }, () => new Bench(tests));
const sound = await Promise.all(
  benches.map(async (bench) => {
    const beganAt = performance.now();
    const noticed = await bench.try({ mutant: null, text: "" }, longestMs);
    if (noticed !== null) throw new Error(`the tests fail without a mutant: ${noticed}`);
    return performance.now() - beganAt;
  }),
);
const queue = [...all];
const survivors: Mutant[] = [];
await Promise.all(
  benches.map(async (bench) => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const original = texts.get(mutant.file) ?? "";
      const text = original.slice(0, mutant.start) + mutant.text + original.slice(mutant.end);
      const isLate = performance.now() - startedAt > longestMs;
      if (!isLate && (await bench.try({ mutant, text }, longestShare * Math.max(...sound))) !== null) continue;
      survivors.push(mutant);
      console.log(`${isLate ? "not tried" : "survived"}: ${mutant.file}:${mutant.line}: ${mutant.name}`);
    }
    await bench.close();
  }),
);

const percent = (caught: number, of: number) => `${((100 * caught) / Math.max(1, of)).toFixed(1)} %`;
for (const file of texts.keys()) {
  const own = all.filter((mutant) => mutant.file === file).length;
  const lost = survivors.filter((mutant) => mutant.file === file).length;
  if (own > 0)
    console.log(`${percent(own - lost, own).padStart(8)}  ${String(own - lost).padStart(4)} of ${String(own).padStart(4)}  ${file}`);
}
const score = (all.length - survivors.length) / Math.max(1, all.length);
const tookS = ((performance.now() - startedAt) / 1_000).toFixed(0);
console.log(
  `${all.length} mutants, ${all.length - survivors.length} caught: ${percent(all.length - survivors.length, all.length)} (goal ${100 * goal} %), ${found.length - found.filter((one) => !isIgnored(one)).length} ignored as equivalent, in ${tookS} s`,
);
process.exitCode = score >= goal && stale.length === 0 ? 0 : 1;
