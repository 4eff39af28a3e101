/*
 * What 10,000 figures each 15 seconds cost, what they take on disk, and how long a day's graph of one app takes: `node bench/figures.ts [hours]`.
 * Peer: VictoriaMetrics, which gets the same figures by HTTP and answers the same question by HTTP.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { createLog } from "../src/host/log.ts";
import { freePort } from "../src/host/testing/free-ports.ts";
import { VirtualClock } from "../src/host/testing/virtual-clock.ts";
import { FigureStore } from "../src/server/figures/figure-store.ts";
import { finest } from "../src/server/figures/levels.ts";
import { OwnFigures } from "../src/server/figures/own-figures.ts";
import { keyOf, type Sample } from "../src/server/figures/series.ts";
import { cpuSecondsOf, listening, median, memoryOf, report, skip } from "./lib.ts";

const names = 50;
const apps = 100;
const instances = 2;
const series = names * apps * instances;
const hours = Number(process.argv[2] ?? 24);
const times = (hours * 3_600_000) / finest.stepMs;
const looks = 20;
const never = new AbortController().signal;
const folder = await mkdtemp(join(tmpdir(), "drover-bench-figures-"));

/** What ran on: half of it counts, half wavers with two decimals. The same sequence each time. */
function* figures(): Generator<readonly number[], never, void> {
  let state = 1;
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const values = Array.from({ length: series }, () => Math.floor(random() * 1_000));
  for (;;) {
    for (let i = 0; i < series; i++) {
      const isCounter = Math.floor(i / (apps * instances)) % 2 === 0;
      const before = values[i] as number;
      values[i] = isCounter ? before + Math.floor(random() * 50) : Math.round((before + (random() - 0.5) * 10) * 100) / 100;
    }
    yield values;
  }
}

const nameOf = (i: number) => {
  const at = Math.floor(i / (apps * instances));
  return at % 2 === 0 ? `drover_bench_${at}_total` : `drover_bench_${at}`;
};
const labelsOf = (i: number) => {
  const app = `app${Math.floor(i / instances) % apps}`;
  return { space: "shop", app, process: "web", release: "12", instance_id: `shop/${app}/web.12.abcd${i % instances}`, machine: "m1" };
};

function samplesOf(values: readonly number[]): Sample[] {
  return values.map((value, i) => {
    const [name, labels] = [nameOf(i), labelsOf(i)];
    return { name, labels, kind: name.endsWith("_total") ? "counter" : "gauge", value, key: keyOf({ name, labels }) };
  });
}

const startMs = Math.floor((Date.now() - hours * 3_600_000) / finest.stepMs) * finest.stepMs;
const question = {
  name: "drover_bench_6_total",
  space: "shop",
  app: "app7",
  fromMs: startMs + 600_000,
  toMs: startMs + hours * 3_600_000 - 600_000,
};
const stepMs = Math.ceil((question.toMs - question.fromMs) / 240 / 60_000) * 60_000;

async function measureOwn() {
  const clock = new VirtualClock(startMs);
  const log = createLog({ print: (line) => process.stderr.write(line), nowMs: Date.now, least: "warn" });
  const store = await FigureStore.open({ folder, clock, log });
  const source = figures();
  let cpuMicroseconds = 0;
  let longestMs = 0;
  for (let i = 0; i < times; i++) {
    const { value } = source.next();
    const before = process.cpuUsage();
    const startedAtMs = performance.now();
    await store.append(clock.nowMs(), samplesOf(value));
    longestMs = Math.max(longestMs, performance.now() - startedAtMs);
    const { user, system } = process.cpuUsage(before);
    cpuMicroseconds += user + system;
    await clock.advance(finest.stepMs);
  }
  const own = new OwnFigures(store, clock, () => null);
  const tookMs: number[] = [];
  for (let i = 0; i < looks; i++) {
    const startedAtMs = performance.now();
    const matches = [
      { label: "space", isEqual: true, value: question.space },
      { label: "app", isEqual: true, value: question.app },
    ];
    const asked = { ...question, matches, fn: "rate", aggregate: "sum", by: ["release"], quantile: 0.95, stepMs } as const;
    const answer = await own.query(asked, () => true, never);
    if (answer.series[0]?.values.every((value) => value !== null) !== true) throw new Error("a point is missing");
    tookMs.push(performance.now() - startedAtMs);
  }
  // What is in blocks: the open one is not on disk as it will be.
  const inBlocks = Math.floor((hours * 3_600_000) / finest.blockMs) * (finest.blockMs / finest.stepMs) * series;
  const bytes = store.state.diskBytes / inBlocks;
  const { residentMiB } = await memoryOf(process.pid);
  await store.close();
  return {
    cpuShare: cpuMicroseconds / 1e6 / (times * (finest.stepMs / 1_000)),
    longestMs,
    graphMs: median(tookMs),
    firstMs: tookMs[0] ?? 0,
    bytes,
    residentMiB,
  };
}

async function measurePeer(program: string) {
  const port = await freePort();
  const peer = spawn(program, [`-storageDataPath=${join(folder, "victoria")}`, `-httpListenAddr=127.0.0.1:${port}`, "-retentionPeriod=1"], {
    stdio: "ignore",
    env: { ...process.env, GOMAXPROCS: "1" },
  });
  try {
    await listening(port);
    const before = await cpuSecondsOf(pidOf(peer));
    const source = figures();
    for (let i = 0; i < times; i++) {
      const { value } = source.next();
      const atMs = startMs + i * finest.stepMs;
      const body = value.map(
        (figure, of) => `${nameOf(of)}{${Object.entries(labelsOf(of)).map(([label, text]) => `${label}="${text}"`)}} ${figure} ${atMs}\n`,
      );
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/import/prometheus`, { method: "POST", body: body.join("") });
      if (!answer.ok) throw new Error(`it refused the figures: ${answer.status}`);
    }
    const cpuSeconds = (await cpuSecondsOf(pidOf(peer))) - before;
    await fetch(`http://127.0.0.1:${port}/internal/force_flush`);
    const tookMs: number[] = [];
    for (let i = 0; i < looks; i++) {
      const query = `sum by (release) (rate(${question.name}{space="${question.space}",app="${question.app}"}[${stepMs / 1_000}s]))`;
      const parameters = new URLSearchParams({
        query,
        start: String(question.fromMs / 1_000),
        end: String(question.toMs / 1_000),
        step: String(stepMs / 1_000),
        nocache: "1",
      });
      const startedAtMs = performance.now();
      const answer = (await (await fetch(`http://127.0.0.1:${port}/api/v1/query_range?${parameters}`)).json()) as {
        data: { result: { values: unknown[] }[] };
      };
      if ((answer.data.result[0]?.values.length ?? 0) < (question.toMs - question.fromMs) / stepMs / 2)
        throw new Error("points are missing");
      tookMs.push(performance.now() - startedAtMs);
    }
    const { residentMiB } = await memoryOf(pidOf(peer));
    return { cpuShare: cpuSeconds / (times * (finest.stepMs / 1_000)), graphMs: median(tookMs), residentMiB };
  } finally {
    const ended = once(peer, "exit");
    peer.kill("SIGTERM");
    await ended;
  }
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error("it did not start");
  return pid;
}

try {
  const own = await measureOwn();
  const program = programOnPath("victoria-metrics");
  const peer = program === null ? null : await measurePeer(program);
  const beside = (figure: number | undefined) => (figure === undefined ? {} : { peer: ["VictoriaMetrics", figure] as const });
  const share = own.cpuShare * 100;
  report(`${series} figures each 15 s: share of a core`, share, "%", {
    ...beside(peer === null ? undefined : peer.cpuShare * 100),
    goal: "< 3",
    ok: share < 3,
  });
  report("the longest that one moment took", own.longestMs, "ms");
  report(`graph of one app over ${hours} h, median`, own.graphMs, "ms", { ...beside(peer?.graphMs), goal: "< 50", ok: own.graphMs < 50 });
  report("the same, the first time", own.firstMs, "ms");
  report("disk for one sample", own.bytes, "bytes", { goal: "< 2", ok: own.bytes < 2 });
  report("memory of the process", own.residentMiB, "MiB", beside(peer?.residentMiB));
  if (program === null) skip("beside VictoriaMetrics", "victoria-metrics is not here; npm test unpacks it");
} finally {
  await rm(folder, { recursive: true, force: true });
}
