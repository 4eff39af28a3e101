import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { droverBin } from "../../test/harness/drover.ts";
import { cpuSecondsOf, listening, median, report, skip } from "../lib.ts";

const run = promisify(execFile);
const taskset = programOnPath("taskset") ?? "";

/** Answers each request head with the same bytes, as cheaply as Node can: 16 of them, or 64 KiB at `/big`. */
const app = `
  const small = Buffer.from("HTTP/1.1 200 OK\\r\\ncontent-type: text/plain\\r\\ncontent-length: 16\\r\\n\\r\\nhello from app.\\n");
  const big = Buffer.concat([Buffer.from("HTTP/1.1 200 OK\\r\\ncontent-length: 65536\\r\\n\\r\\n"), Buffer.alloc(65536, "x")]);
  require("node:net").createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => socket.write(bytes.toString("latin1", 0, 8).startsWith("GET /big") ? big : small));
  }).listen(Number(process.argv[1]), "127.0.0.1");`;

export interface Place {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
}

/** What one round of load found. */
export interface Figures {
  readonly rps: number;
  /** Of the proxies, for each request, in microseconds: the steadiest figure on a machine that does other things too. */
  readonly cpuUs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Load {
  /** Those whose CPU time is counted, with that of their children. */
  readonly pids: readonly number[];
  readonly url: string;
  readonly seconds: number;
  /** Further arguments of wrk. */
  readonly more?: readonly string[];
}

/** Proxies on core 0, the client and the app behind them on core 1. What it started and wrote ends with it. */
export class ProxyBench implements AsyncDisposable {
  static readonly connections = 64;
  readonly folder: string;
  readonly #children: ChildProcess[] = [];

  private constructor(folder: string) {
    this.folder = folder;
    // A terminal's Ctrl-C does not reach other sessions.
    process.once("SIGINT", () => {
      for (const child of this.#children) child.kill("SIGTERM");
      process.exit(130);
    });
  }

  /** Null, and a line that says so, where the programs that it needs are not there. @param what is measured */
  static async open(what: string): Promise<ProxyBench | null> {
    if (programOnPath("wrk") !== null && taskset !== "") return new ProxyBench(await mkdtemp(join(tmpdir(), "drover-bench-proxy-")));
    skip(what, "wrk and taskset are needed");
    return null;
  }

  async startApp(port: number): Promise<Place> {
    const pid = this.#start(1, process.execPath, ["-e", app, String(port)]);
    await listening(port);
    return { name: "no proxy", pid, port };
  }

  startProxy(program: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): number {
    return this.#start(0, program, args, environment);
  }

  /** An edge with one worker, for its one core, and the route to the app that a server which is away has left it. */
  async startEdge(options: EdgeOptions): Promise<number> {
    const { host, httpPort, appPort, entry, certificates = { set: [], remove: [] }, more = [] } = options;
    const home = join(this.folder, `edge-${httpPort}`);
    await mkdir(join(home, "edge"), { recursive: true });
    const endpoint = { instance: "bench/app/web.1.aaaaa", host: "127.0.0.1", port: appPort, ...(entry === undefined ? {} : { entry }) };
    const place = { space: "bench", app: "app", process: "web", listener: { kind: "public", host, path: "/" } };
    const route = { id: "bench", ...place, targets: [{ release: 1, weight: 1, endpoints: [endpoint] }] };
    await writeFile(join(home, "edge", "table.json"), JSON.stringify({ epoch: 1, revision: 1, routes: [route] }));
    await writeFile(join(home, "edge", "certificates.json"), JSON.stringify(certificates));
    return this.startProxy(droverBin, ["edge", "--home", home, "--http", `127.0.0.1:${httpPort}`, ...more]);
  }

  /** @throws {Error} if a request failed */
  async load({ pids, url, seconds, more = [] }: Load): Promise<Figures> {
    const before = await cpuUs(pids);
    const wrk = ["wrk", "-t1", `-c${ProxyBench.connections}`, `-d${seconds}s`, "--latency", ...more, url];
    const { stdout } = await run(taskset, ["-c", "1", ...wrk]);
    const failed = /Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1];
    if (failed !== undefined) throw new Error(`${failed} requests failed:\n${stdout}`);
    const waitMs = (share: number) => {
      const [, wait = "0", unit = "ms"] = new RegExp(`${share}%\\s+([\\d.]+)(us|ms|s)`).exec(stdout) ?? [];
      return Number(wait) * ({ us: 0.001, ms: 1, s: 1_000 }[unit] ?? 1);
    };
    const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
    return {
      rps: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]),
      cpuUs: ((await cpuUs(pids)) - before) / requests,
      p50Ms: waitMs(50),
      p99Ms: waitMs(99),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill("SIGTERM");
    await Promise.all(this.#children.map((child) => child.exitCode ?? child.signalCode ?? once(child, "exit")));
    await rm(this.folder, { recursive: true, force: true });
  }

  #start(core: number, program: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): number {
    const env = { ...process.env, ...environment };
    // Each in a session of its own, as services are and as the edge has its HAProxy: Linux shares a busy core among sessions.
    const child = spawn(taskset, ["-c", String(core), program, ...args], { stdio: ["ignore", "ignore", "inherit"], env, detached: true });
    this.#children.push(child);
    return child.pid ?? 0;
  }
}

interface EdgeOptions {
  readonly host: string;
  readonly httpPort: number;
  readonly appPort: number;
  /** Where the app is reached over TLS on another machine; plainly where it is missing. */
  readonly entry?: { readonly name: string; readonly port: number };
  /** What `certificates.json` is to hold. */
  readonly certificates?: object;
  /** Further arguments of the edge. */
  readonly more?: readonly string[];
}

export function medianOf(all: readonly Figures[], key: keyof Figures): number {
  return median(all.map((one) => one[key]));
}

/** @param least the goal: at least so much of what the peer does */
export function reportBeside(what: string, figure: number, unit: string, peer?: readonly [string, number], least?: number): void {
  if (peer === undefined) report(what, figure, unit);
  else report(what, figure, unit, { peer, ...(least === undefined ? {} : { goal: `${least} ×`, ok: figure / peer[1] >= least }) });
}

/** CPU time of processes and of their living children so far, in microseconds. */
async function cpuUs(pids: readonly number[]): Promise<number> {
  const families = await Promise.all(
    pids.map(async (pid) => [pid, ...(await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).split(" ").filter(Boolean).map(Number)]),
  );
  const seconds = await Promise.all(families.flat().map(cpuSecondsOf));
  return seconds.reduce((sum, value) => sum + value, 0) * 1_000_000;
}
