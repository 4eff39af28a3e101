/*
 * What searching logs costs, and what keeping them does: `node bench/log-search.ts [lines]`; ten million lines of 100 bytes by default.
 * Peers in the same run, over the same lines: ripgrep over the raw text, SQLite FTS5, and DuckDB where npm has it.
 */
import { spawnSync } from "node:child_process";
import { createReadStream, openSync, writeSync } from "node:fs";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { PassThrough } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { defaultLogRules } from "../src/agent/logs/log-rules.ts";
import { type LogStore, openLogStore } from "../src/agent/logs/log-store.ts";
import { systemClock } from "../src/host/clock.ts";
import { createLog } from "../src/host/log.ts";
import type { LogSearch } from "../src/model/log-event.ts";
import type { InstanceId, MachineId } from "../src/model/names.ts";
import { seeded } from "../test/harness/random.ts";
import { median, npmPeer, report, skip } from "./lib.ts";
import { feed, makePipe, readEndOf } from "./parts/fed-pipe.ts";

const lines = Number(process.argv[2] ?? 10_000_000);
const needle = "needle-7f3a9c";
const lineBytes = 100;
/** Had for benches only. */
const duckdbPackage = "@duckdb/node-api";
/** Building the index of FTS5 takes minutes for all of them: it is searched over so many, by whole words alone, both to its advantage. */
const ftsLines = Math.min(lines, 1_000_000);
const never = new AbortController().signal;
const log = createLog({ print: (line) => process.stderr.write(line), nowMs: Date.now, least: "error" });
const unbounded = { bytesPerSecond: 2 ** 40, burstBytes: 2 ** 40 };
const rules = { ...defaultLogRules, intake: unbounded, read: unbounded, appBytes: 2 ** 40, totalBytes: 2 ** 40, ageMs: 2 ** 45 };
const folder = await mkdtemp(join(tmpdir(), "drover-bench-logs-"));
const raw = join(folder, "raw.log");

/** Lines as apps print them: stamps, levels, eight shapes, ids in hex; the needle in five of them. */
function writeRaw(): void {
  const random = seeded(1);
  const below = (most: number) => Math.floor(random() * most);
  const hex = (digits: number) =>
    below(16 ** digits)
      .toString(16)
      .padStart(digits, "0");
  const shapes = [
    () => `GET /api/v1/items/${below(100_000)} 200 ${below(500)}ms`,
    () => `POST /api/v1/orders 201 ${below(900)}ms trace=${hex(8)}`,
    () => `user ${below(100_000)} logged in from 10.0.${below(255)}.${below(255)}`,
    () => `cache miss key=${hex(8)} ttl=${below(3_600)}`,
    () => `db query took ${below(300)}ms rows=${below(1_000)}`,
    () => `job ${hex(6)} finished status=ok`,
    () => `retry ${below(5)} of upstream after timeout`,
    () => "health check ok",
  ];
  const file = openSync(raw, "w");
  const every = Math.floor(lines / 5);
  for (let from = 0; from < lines; from += 10_000) {
    let text = "";
    for (let line = from; line < Math.min(lines, from + 10_000); line++) {
      const said = shapes[below(shapes.length)]?.() ?? "";
      const rare = line % every === every >> 1 ? ` ${needle}` : "";
      const at = new Date(1.7e12 + line * 3).toISOString();
      const head = `${at} ${below(20) === 0 ? "WARN" : "INFO"} app${below(75)} ${said}${rare} `;
      text += `${(head + hex(8) + hex(8) + hex(8) + hex(8) + hex(8)).slice(0, lineBytes - 1)}\n`;
    }
    writeSync(file, text);
  }
}

async function bytesBelow(path: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(path, { withFileTypes: true, recursive: true }))
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  return bytes;
}

const logs = join(folder, "logs");
const open = () => openLogStore({ folder: logs, machine: "m1" as MachineId, clock: systemClock, log, rules }, never);

/** What takes the lines and is asked for a rare word among them. */
interface Keeper {
  readonly name: string;
  readonly linesPerSecond: number;
  /** On disk, for each byte of the lines. */
  readonly bytesPerByte: number;
  readonly rareMs: number;
}

interface Ingested extends Omit<Keeper, "name" | "rareMs"> {
  /** All of ours; not that of the process that prints. */
  readonly linesPerCpuSecond: number;
  readonly linesPerMainCpuSecond: number;
  /** Of another app's lines meanwhile. */
  readonly tailLagsMs: readonly number[];
}

/** From a pipe, until the last full segment is sealed: what is taken faster than that could not be sustained. */
async function ingest(): Promise<Ingested> {
  const store = await open();
  const pipe = makePipe(join(folder, "pipe"));
  const [before, mainBefore] = [process.cpuUsage(), process.threadCpuUsage()];
  const startMs = performance.now();
  const { ended } = store.attach("bench/app/web.1.aaaaa" as InstanceId, readEndOf(pipe));
  const taking = Promise.all([feed(pipe, raw), ended]).then(async () => {
    while ((await readdir(join(logs, "bench/app"))).filter((name) => name.endsWith(".log")).length > 1) await delay(20);
  });
  const tailLagsMs = await tailLags(store, taking);
  const tookMs = performance.now() - startMs;
  const [all, main] = [process.cpuUsage(before), process.threadCpuUsage(mainBefore)];
  await store.close();
  return {
    linesPerSecond: lines / (tookMs / 1_000),
    linesPerCpuSecond: lines / ((all.user + all.system) / 1e6),
    linesPerMainCpuSecond: lines / ((main.user + main.system) / 1e6),
    tailLagsMs,
    bytesPerByte: (await bytesBelow(join(logs, "bench/app"))) / (lines * lineBytes),
  };
}

const all: LogSearch = { of: [""], except: [], query: "", sinceMs: null, untilMs: null, before: null, limit: 100 };

/** The first question after the store is opened: thread, filters and all. */
async function cold(query: string): Promise<number> {
  const store = await open();
  await store.searches.search({ ...all, of: ["nobody/"] }, never).catch(() => {});
  await store.close();
  const again = await open();
  await ready(again);
  const startMs = performance.now();
  const { events } = await again.searches.search({ ...all, query }, never);
  const tookMs = performance.now() - startMs;
  if (query === needle && events.length !== 5) throw new Error(`${events.length} events found`);
  await again.close();
  return tookMs;
}

/** Opening learns what each segment holds: part of the agent's start, and of no search. */
async function ready(store: LogStore): Promise<void> {
  await store.last("bench/app/web.1.aaaaa" as InstanceId, 1, never);
}

function ripgrep(): number | null {
  const program = programOnPath("rg");
  if (program === null) return null;
  const startMs = performance.now();
  spawnSync(program, ["-j1", "-c", needle, raw]);
  return performance.now() - startMs;
}

async function fts(): Promise<Keeper> {
  const database = new DatabaseSync(join(folder, "fts.db"));
  database.exec("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; CREATE VIRTUAL TABLE lines USING fts5(text)");
  const insert = database.prepare("INSERT INTO lines VALUES (?)");
  const startMs = performance.now();
  database.exec("BEGIN");
  let count = 0;
  let rest = "";
  for await (const chunk of createReadStream(raw, { encoding: "utf8" })) {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop() ?? "";
    for (const line of parts) if (count++ < ftsLines) insert.run(line);
    if (count >= ftsLines) break;
  }
  database.exec("COMMIT");
  const linesPerSecond = ftsLines / ((performance.now() - startMs) / 1_000);
  const bytesPerByte = (await stat(join(folder, "fts.db"))).size / (ftsLines * lineBytes);
  const searchedAtMs = performance.now();
  database.prepare("SELECT text FROM lines WHERE lines MATCH ?").all(`"${needle}"`);
  const rareMs = performance.now() - searchedAtMs;
  database.close();
  return { name: "SQLite FTS5", linesPerSecond, bytesPerByte, rareMs };
}

/** Through its Node API, which is no dependency of the project. */
async function duckdb(): Promise<Keeper | null> {
  await npmPeer(duckdbPackage);
  const require = createRequire(join(import.meta.dirname, "..", "node_modules", ".cache", "peers", "index.js"));
  let api: { DuckDBInstance: { create(file: string): Promise<{ connect(): Promise<{ run(sql: string): Promise<unknown> }> }> } };
  try {
    api = require(duckdbPackage);
  } catch (error) {
    skip("DuckDB, as a peer", error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error));
    return null;
  }
  const file = join(folder, "duck.db");
  const connection = await (await api.DuckDBInstance.create(file)).connect();
  await connection.run("SET threads=1");
  const startMs = performance.now();
  await connection.run(
    `CREATE TABLE lines AS SELECT * FROM read_csv('${raw}', columns={'text':'VARCHAR'}, delim='\\x01', quote='', header=false)`,
  );
  await connection.run("CHECKPOINT");
  const linesPerSecond = lines / ((performance.now() - startMs) / 1_000);
  const bytesPerByte = (await stat(file)).size / (lines * lineBytes);
  const searchedAtMs = performance.now();
  await connection.run(`SELECT count(*) FROM lines WHERE contains(text, '${needle}')`);
  return { name: "DuckDB", linesPerSecond, bytesPerByte, rareMs: performance.now() - searchedAtMs };
}

/** How long lines take from their printing to whoever follows: one after another, until it is `over` and at least 20 of them. */
async function tailLags(store: LogStore, over: Promise<unknown>): Promise<readonly number[]> {
  const source = new PassThrough();
  const attachment = store.attach("bench/tail/web.1.aaaaa" as InstanceId, source);
  const stop = new AbortController();
  const told = store.searches.tail({ of: ["bench/tail/"], except: [], query: "" }, stop.signal)[Symbol.asyncIterator]();
  const lagsMs: number[] = [];
  let isOver = false;
  const ending = over.finally(() => (isOver = true));
  while (!isOver || lagsMs.length < 20) {
    const next = told.next();
    const startMs = performance.now();
    source.write(`line ${lagsMs.length}\n`);
    await next;
    lagsMs.push(performance.now() - startMs);
    await Promise.race([delay(100), ending]);
  }
  stop.abort();
  source.end();
  await Promise.all([attachment.ended, ending]);
  return lagsMs;
}

async function tailLagsAtRest(): Promise<readonly number[]> {
  const store = await open();
  const lagsMs = await tailLags(store, Promise.resolve());
  await store.close();
  return lagsMs;
}

try {
  writeRaw();
  const { linesPerSecond, linesPerCpuSecond, linesPerMainCpuSecond, tailLagsMs, bytesPerByte } = await ingest();
  const rareMs = await cold(needle);
  const [usual, unknowable] = [await cold("timeout"), await cold("zq")];
  const restLagsMs = await tailLagsAtRest();
  const peers = [await fts(), await duckdb()].filter((peer) => peer !== null);
  for (const peer of peers)
    report("lines of 100 bytes in, compressed and indexed", linesPerSecond, "lines/s", { peer: [peer.name, peer.linesPerSecond] });
  report("  for a second of CPU, all threads but not who prints", linesPerCpuSecond, "lines", {
    goal: "≥ 500,000",
    ok: linesPerCpuSecond >= 500_000,
  });
  report("  for a second of CPU, main thread", linesPerMainCpuSecond, "lines");
  for (const [when, lagsMs] of [["meanwhile", tailLagsMs] as const, ["at rest", restLagsMs] as const])
    report(`  from a line's printing to whoever follows, ${when}, median`, median(lagsMs), "ms", {
      goal: "< 300",
      ok: median(lagsMs) < 300,
    });
  report("    meanwhile, the longest", Math.max(...tailLagsMs), "ms");
  for (const peer of peers)
    report("  bytes on disk for each raw byte", bytesPerByte, "", {
      peer: [peer.name, peer.bytesPerByte],
      goal: "< 0.4",
      ok: bytesPerByte < 0.4,
    });
  const rg = ripgrep();
  for (const [name, theirs] of [
    ...peers.map((peer) => [`${peer.name}, warm`, peer.rareMs] as const),
    ["ripgrep of the raw text", rg] as const,
  ])
    if (theirs !== null)
      report(`a rare word over ${lines} lines, cold`, rareMs, "ms", { peer: [name, theirs], goal: "< 300", ok: rareMs < 300 });
  report("  a word that every segment has, the newest 100", usual, "ms");
  report("  two letters, which no filter can tell: until its share of time is over", unknowable, "ms");
} finally {
  await rm(folder, { recursive: true, force: true });
}
