// What clients notice of a bad year: random table changes, deaths of instances, workers and edges, and replacements of the edge, all under load; and
// whether the memory of what stays is flat. Usage: node bench/soak.ts [--minutes 60] [--rate 150]; DROVER_SEED replays another run's choices.
import { parseArgs } from "node:util";
import { TestDrover } from "../test/harness/drover.ts";
import { seed, seeded } from "../test/harness/random.ts";
import { type MemoryLook, soak } from "../test/harness/soak.ts";
import { median, report } from "./lib.ts";

const { values } = parseArgs({ options: { minutes: { type: "string", default: "60" }, rate: { type: "string", default: "150" } } });
const minutes = Number(values.minutes);
/** Nothing may grow by more: an allocator's own ups and downs. */
const slackMiB = 8;
/** Edges are replaced in this part of the time; in what follows, memory is compared. */
const replaceEdgeFor = 0.4;

const looks: MemoryLook[] = [];
await using drover = await TestDrover.start();
console.log(`soak of ${minutes} min at ${values.rate} requests/s, seed ${seed}`);
const { sent, answered, unsaved, lost, done } = await soak(
  drover,
  {
    durationMs: minutes * 60_000,
    perSecond: Number(values.rate),
    everyMs: 1_000,
    replaceEdgeFor,
    random: seeded(seed),
    onLook: (look) => looks.push(look),
  },
  new AbortController().signal,
);
for (const [what, times] of Object.entries(done).sort()) report(what, times, "times");
report("requests sent", sent, "");
report("  answered", answered, "");
report("  in flight on a worker that was killed", lost, "");
report("  failed, though a correct proxy would have saved them", unsaved.length, "", { goal: "0", ok: unsaved.length === 0 });
for (const failure of unsaved.slice(0, 50)) console.log(`    ${failure}`);

// The first part of what follows warms up: caches fill, and code is compiled.
const from = replaceEdgeFor + (1 - replaceEdgeFor) / 4;
const part = (start: number, end: number) => looks.filter(({ atMs }) => atMs >= start * minutes * 60_000 && atMs < end * minutes * 60_000);
const middle = (from + 1) / 2;
for (const [name, of] of [
  ["the edge", "edgeMiB"],
  ["the oldest worker", "workerMiB"],
] as const) {
  const [before, after] = [part(from, middle), part(middle, 1)].map((some) => median(some.map((look) => look[of])));
  if (before === undefined || after === undefined) continue;
  report(`memory of ${name}`, after, "MiB", { peer: ["earlier", before], goal: `≤ ${slackMiB} MiB more`, ok: after - before <= slackMiB });
}
process.exitCode = unsaved.length === 0 ? 0 : 1;
