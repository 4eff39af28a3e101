import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { root } from "./drover.ts";

/** Of VictoriaMetrics, whose module had it until it got one of its own. */
const module = "github.com/VictoriaMetrics/VictoriaMetrics@v1.121.0";
const folder = join(root, "node_modules", ".cache", "victoria-logs-v1.121.0");
/** Downloads and builds it once: half a minute where nothing else runs. */
const installMs = 300_000;

/** VictoriaLogs, built with Go where there is Go; null where it cannot be had. */
export function victoriaLogs(): string | null {
  const program = join(folder, "victoria-logs");
  if (existsSync(program)) return program;
  if (programOnPath("go") === null) return null;
  mkdirSync(folder, { recursive: true });
  const download = spawnSync("go", ["mod", "download", "-json", module], { cwd: tmpdir(), encoding: "utf8", timeout: installMs });
  if (download.status !== 0) return null;
  // Not `go install`, which refuses modules that replace others.
  const { Dir } = JSON.parse(download.stdout) as { readonly Dir: string };
  spawnSync("go", ["build", "-C", Dir, "-o", program, "./app/victoria-logs"], { stdio: "ignore", timeout: installMs });
  return existsSync(program) ? program : null;
}

/** A VictoriaLogs on a port of its own, which keeps what it took over its restarts. */
export class TestVictoriaLogs implements AsyncDisposable {
  readonly port: number;
  readonly #program: string;
  readonly #folder: string;
  #process: ChildProcess | null = null;

  private constructor(program: string, folder: string, port: number) {
    this.#program = program;
    this.#folder = folder;
    this.port = port;
  }

  /** Prepares one that does not run yet. */
  static async prepare(program: string, port: number): Promise<TestVictoriaLogs> {
    return new TestVictoriaLogs(program, await mkdtemp(join(tmpdir(), "drover-victoria-logs-")), port);
  }

  /** Runs it (again), and resolves when it answers. */
  async start(...args: readonly string[]): Promise<void> {
    await this.stop();
    const own = [`-httpListenAddr=127.0.0.1:${this.port}`, `-storageDataPath=${this.#folder}`, "-memory.allowedBytes=64MB"];
    const running = spawn(this.#program, [...own, ...args], { stdio: "ignore" });
    this.#process = running;
    while (!(await this.#answers())) {
      if (running.exitCode !== null) throw new Error(`VictoriaLogs ended with ${running.exitCode}`);
      await delay(50);
    }
  }

  async stop(): Promise<void> {
    const running = this.#process;
    this.#process = null;
    if (running === null || running.exitCode !== null) return;
    running.kill("SIGTERM");
    await once(running, "exit");
  }

  /** Rows that match a query in its own language, LogsQL. */
  async query(query: string): Promise<readonly Readonly<Record<string, string>>[]> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/select/logsql/query?query=${encodeURIComponent(query)}`);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${query}: ${text}`);
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, string>);
  }

  async #answers(): Promise<boolean> {
    return fetch(`http://127.0.0.1:${this.port}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
