/**
 * DNS queries per second of the edge beside dnsmasq: 200 names with three addresses each, over UDP. The server has core 0, dnsperf core 1. Then
 * what a query waits at half of what the edge can do, as a second, slow dnsperf sees it. All of them have their cores for themselves where the
 * system lets them: else the waits are those for whatever else runs.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { freePorts } from "#host/testing/free-ports.ts";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { droverBin } from "../test/harness/drover.ts";
import { cpuSecondsOf, median, quantile, report, skip, undisturbed } from "./lib.ts";

const run = promisify(execFile);
const taskset = programOnPath("taskset");
const dnsperf = programOnPath("dnsperf");
const dnsmasq = programOnPath("dnsmasq");
const alone = undisturbed();
/** It has to see answers when they come, not when the one that makes the load lets it. */
const aloneAndFirst = undisturbed(2);
const names = Array.from({ length: 200 }, (_, i) => ({
  name: `svc${i}.bench.drover`,
  app: `svc${i}`,
  hosts: [1, 2, 3].map((last) => `10.9.${i}.${last}`),
}));
const seconds = 3;
const rounds = 5;
/** The one that only looks: too slow to be load. */
const watchedPerSecond = 500;

interface Server {
  readonly name: string;
  readonly port: number;
  readonly child: ChildProcess;
}

async function main(folder: string): Promise<void> {
  const queries = join(folder, "queries");
  await writeFile(queries, names.map(({ name }) => `${name} A\n`).join(""));
  const [dnsPort = 0, httpPort = 0, peerPort = 0] = await freePorts(3);
  const edge = await startEdge(folder, dnsPort, httpPort);
  const servers = [edge, ...(dnsmasq === null ? [] : [startDnsmasq(peerPort)])];
  try {
    for (const server of servers) await answers(server, queries);
    const figures = new Map(servers.map(({ name }) => [name, { qps: [] as number[], cpuUs: [] as number[] }]));
    for (let round = 0; round < rounds; round++) {
      for (const server of servers) {
        const before = await cpuSecondsOf(server.child.pid ?? 0);
        const { qps, completed } = await load(server.port, queries, ["-c", "8", "-q", "200"]);
        const cpuUs = (((await cpuSecondsOf(server.child.pid ?? 0)) - before) / completed) * 1e6;
        figures.get(server.name)?.qps.push(qps);
        figures.get(server.name)?.cpuUs.push(cpuUs);
      }
    }
    const of = (name: string) => figures.get(name) ?? { qps: [], cpuUs: [] };
    const own = median(of(edge.name).qps);
    const peer = median(of("dnsmasq").qps);
    if (dnsmasq === null) {
      skip("dnsmasq", "it is not installed (Debian: dnsmasq-base)");
      report("queries a second, one core", own, "q/s");
    } else {
      report("queries a second, one core", own, "q/s", { peer: ["dnsmasq", peer], goal: "ratio ≥ 0.75", ok: own / peer >= 0.75 });
      report("CPU a query", median(of(edge.name).cpuUs), "µs", { peer: ["dnsmasq", median(of("dnsmasq").cpuUs)] });
    }
    const waits = await waitsAtHalfLoad(edge.port, queries, own / 2);
    // At the same load, so that what of it is the machine's and the client's can be seen.
    const other = servers.find(({ name }) => name === "dnsmasq");
    const waitsThere = other === undefined ? null : await waitsAtHalfLoad(other.port, queries, own / 2);
    const beside = (share: number) => (waitsThere === null ? {} : { peer: ["dnsmasq", quantile(waitsThere, share)] as const });
    report("a query's wait at half load, p50", quantile(waits, 0.5), "ms", beside(0.5));
    const worst = quantile(waits, 0.99);
    report("a query's wait at half load, p99", worst, "ms", { ...beside(0.99), goal: "< 2 ms", ok: worst < 2 });
  } finally {
    for (const { child } of servers) {
      child.kill("SIGKILL");
      await once(child, "close");
    }
  }
}

async function startEdge(folder: string, port: number, httpPort: number): Promise<Server> {
  const home = join(folder, "home");
  await mkdir(join(home, "edge"), { recursive: true });
  const routes = names.map(({ app, hosts }) => ({
    id: app,
    space: "bench",
    app,
    process: "web",
    listener: { kind: "name", name: `web.${app}.bench`, isMain: true, protocol: "http", servicePort: null },
    targets: [{ release: 1, weight: 1, endpoints: hosts.map((host, i) => ({ instance: `bench/${app}/web.1.${i}`, host, port: 80 })) }],
  }));
  await writeFile(join(home, "edge", "table.json"), JSON.stringify({ epoch: 1, revision: 1, routes }));
  const args = ["edge", "--home", home, "--http", `127.0.0.1:${httpPort}`, "--dns", `127.0.0.1:${port}`];
  return { name: "drover edge", port, child: start(droverBin, args) };
}

function startDnsmasq(port: number): Server {
  const records = names.flatMap(({ name, hosts }) => hosts.map((host) => `--host-record=${name},${host}`));
  const args = ["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces"];
  return {
    name: "dnsmasq",
    port,
    child: start(dnsmasq ?? "", [...args, "--listen-address=127.0.0.1", `--port=${port}`, "--pid-file", "--user=root", ...records]),
  };
}

function start(program: string, args: readonly string[]): ChildProcess {
  return spawn(taskset ?? "", ["-c", "0", ...alone, program, ...args], { stdio: ["ignore", "ignore", "inherit"] });
}

async function answers(server: Server, queries: string): Promise<void> {
  let cause: unknown;
  for (let tries = 0; tries < 50; tries++) {
    try {
      const { completed } = await load(server.port, queries, ["-c", "1", "-q", "1", "-n", "1", "-t", "0.2"], 1);
      if (completed === names.length) return;
    } catch (error) {
      cause = error;
    }
    await delay(100);
  }
  throw new Error(`${server.name} does not answer on port ${server.port}`, { cause });
}

async function load(port: number, queries: string, more: readonly string[], forSeconds = seconds) {
  const { stdout } = await dnsperfRun(port, queries, ["-l", String(forSeconds), ...more]);
  const figure = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1] ?? Number.NaN);
  return { qps: figure(/Queries per second:\s+([\d.]+)/), completed: figure(/NOERROR (\d+)/) };
}

async function waitsAtHalfLoad(port: number, queries: string, perSecond: number): Promise<readonly number[]> {
  const loading = load(port, queries, ["-c", "8", "-q", "200", "-Q", String(Math.round(perSecond - watchedPerSecond))]);
  const watch = ["-v", "-c", "1", "-q", "10", "-Q", String(watchedPerSecond), "-l", String(seconds - 1)];
  const watching = dnsperfRun(port, queries, watch, aloneAndFirst);
  const [{ stdout }] = await Promise.all([watching, loading]);
  return [...stdout.matchAll(/^> NOERROR \S+ A ([\d.]+)/gm)].map(([, waited]) => Number(waited) * 1_000);
}

function dnsperfRun(port: number, queries: string, more: readonly string[], prefix = alone) {
  const args = ["-c", "1", ...prefix, dnsperf ?? "", "-s", "127.0.0.1", "-p", String(port), "-d", queries, "-T", "1", ...more];
  return run(taskset ?? "", args, { maxBuffer: 64 * 1024 * 1024 });
}

if (taskset === null || dnsperf === null) skip("DNS", "taskset or dnsperf is not installed (Debian: dnsperf)");
else {
  const folder = await mkdtemp(join(tmpdir(), "drover-bench-dns-"));
  try {
    if (alone.length === 0) skip("cores of their own", "chrt is not there or not allowed; waits are for what else runs, too");
    await main(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
