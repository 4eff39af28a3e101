import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePorts } from "#host/testing/free-ports.ts";
import { allPids, killIfThere, linkOfProcess, textOfProcess } from "#host/testing/processes.ts";
import type { Host } from "./hosts.ts";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
export const droverBin = join(root, "bin", "drover");

/** How long anything in a test may take before it counts as never; generous, because no test asserts a duration. */
const patienceMs = 60_000;

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: http.IncomingHttpHeaders;
}

/** A whole Drover of its own: temporary home, free ports, ended with everything that it started. */
export class TestDrover implements AsyncDisposable {
  readonly home: string;
  readonly apiPort: number;
  readonly edgePort: number;
  /** The edge's port for TLS. */
  readonly tlsPort: number;
  readonly environment: NodeJS.ProcessEnv;
  #agent: ChildProcess | null = null;
  readonly #host: Pick<Host, "enter"> | null;
  readonly #user: { readonly uid?: number; readonly gid?: number };
  #output = "";

  private constructor(home: string, ports: readonly number[], user: number | null, host: Pick<Host, "enter"> | null) {
    this.home = home;
    this.#host = host;
    this.#user = user === null ? {} : { uid: user, gid: user };
    [this.apiPort = 0, this.edgePort = 0, this.tlsPort = 0] = ports;
    this.environment = { ...process.env, DROVER_HOME: home, NO_COLOR: "1" };
    for (const name of ["DROVER_URL", "DROVER_TOKEN", "DROVER_CA", "NODE_TEST_CONTEXT"]) delete this.environment[name];
  }

  /** Makes a home and starts `drover up` in it, ready to be used. */
  static async start(options: { readonly args?: readonly string[] } = {}): Promise<TestDrover> {
    const drover = await TestDrover.prepare();
    await drover.up(options.args ?? []);
    return drover;
  }

  /** Makes a home, for `launch` or `up`. @param user whom the home belongs to and everything runs as; this one if left out. @param host on which `up` runs; this one if left out */
  static async prepare(
    options: { readonly home?: string; readonly user?: number; readonly host?: Pick<Host, "enter"> } = {},
  ): Promise<TestDrover> {
    const home = options.home ?? (await mkdtemp(join(tmpdir(), "drover-e2e-")));
    // As Drover makes it itself: apps under users of their own pass through.
    await chmod(home, 0o711);
    if (options.user !== undefined) await chown(home, options.user, options.user);
    return new TestDrover(home, await freePorts(3), options.user ?? null, options.host ?? null);
  }

  /** Starts `drover up` (again). Resolves when the API answers, and the agent and the edge are linked. */
  async up(args: readonly string[] = []): Promise<void> {
    this.launch(args);
    await this.ready();
  }

  /** Starts `drover up` (again), and waits for nothing. @param env besides the usual environment, for this start alone. @param bin of another copy of Drover */
  launch(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}, bin = droverBin): ChildProcess {
    this.#output = "";
    const addresses = { "--api": this.apiPort, "--http": this.edgePort, "--https": this.tlsPort };
    const own = Object.entries(addresses).flatMap(([flag, port]) => [flag, `127.0.0.1:${port}`]);
    // The usual address of DNS is one for the whole machine: only who tests it asks for one of its own.
    const dns = args.includes("--dns") ? [] : ["--dns", "off"];
    const [program = bin, ...more] = [...(this.#host?.enter ?? []), bin, "up", ...own, ...dns, ...args];
    const agent = spawn(program, more, {
      env: { ...this.environment, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      cwd: this.home,
      ...this.#user,
    });
    for (const stream of [agent.stdout, agent.stderr]) stream.on("data", (chunk) => (this.#output += chunk));
    this.#agent = agent;
    return agent;
  }

  async ready(): Promise<void> {
    await this.until("the API answers, and the agent and the edge are linked", async () => {
      if (!this.agentRuns) throw new Error(`drover up ended with ${this.#agent?.exitCode}:\n${this.#output}`);
      return this.isReady();
    });
  }

  /** Whether the API answers, and the agent and the edge are linked. It may name problems, such as a service port that another Drover of this machine holds. */
  async isReady(): Promise<boolean> {
    // On another host only the command reaches it, by its socket; here a request is enough, and takes less CPU from what is starting.
    const text = this.#host === null ? (await this.api("GET", "/v1/status")).body : (await this.cli(["status", "--json"])).stdout;
    type Peers = readonly { readonly linked: boolean }[];
    const { machines = [], edges = [] } = JSON.parse(text) as { readonly machines?: Peers; readonly edges?: Peers };
    return [machines, edges].every((peers) => peers.some(({ linked }) => linked));
  }

  /** What `drover status` prints. It may name a problem that is another test's: both have an app of one name, and so want one service port. */
  async status(): Promise<string> {
    const { code, stdout, stderr } = await this.cli(["status"]);
    if (code !== 0 && code !== 4) throw new Error(`drover status ended with ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  get agentRuns(): boolean {
    return this.#agent !== null && this.#agent.exitCode === null && this.#agent.signalCode === null;
  }

  /** What `drover up` printed so far. */
  get output(): string {
    return this.#output;
  }

  get agentPid(): number {
    if (this.#agent?.pid === undefined) throw new Error("no agent runs");
    return this.#agent.pid;
  }

  /** The pid of one of Drover's own programs, or of an instance, as the agent knows it. */
  async pidOf(program: "agent" | "server" | "edge"): Promise<number> {
    if (program === "agent") return this.agentPid;
    const found = await processesOf(this.home, `src/${program}/main.ts`);
    if (found[0] === undefined) throw new Error(`no ${program} runs`);
    return found[0];
  }

  /** Waits until it runs: one that was killed a moment ago may be on its way back. */
  async kill(program: "agent" | "server" | "edge"): Promise<void> {
    await this.until(`the ${program} runs, and is killed`, async () => killIfThere(await this.pidOf(program)));
    if (program === "agent") {
      const agent = this.#agent;
      if (agent !== null && agent.exitCode === null && agent.signalCode === null) await once(agent, "exit");
    }
  }

  /**
   * Runs one command of the CLI to its end.
   * @param options.on the host whose network it needs; left out: this one's
   * @param options.limitMs after which it is killed
   */
  async cli(
    args: readonly string[],
    options: {
      readonly input?: string;
      readonly cwd?: string;
      readonly env?: NodeJS.ProcessEnv;
      readonly on?: Pick<Host, "enter">;
      readonly limitMs?: number;
    } = {},
  ): Promise<Finished> {
    const [program = droverBin, ...words] = [...(options.on?.enter ?? []), droverBin, ...args];
    const child = spawn(program, words, {
      env: { ...this.environment, ...options.env },
      cwd: options.cwd ?? this.home,
      stdio: ["pipe", "pipe", "pipe"],
      // What enters another host leaves the command behind as a process of its own, which has to be reached too.
      detached: options.on !== undefined,
      ...this.#user,
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => (stdout += chunk));
    child.stderr.on("data", (chunk) => (stderr += chunk));
    // A command that ends before it has read everything says why by itself.
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
    const kill = () => (options.on === undefined || child.pid === undefined ? child.kill("SIGKILL") : process.kill(-child.pid, "SIGKILL"));
    const timer = setTimeout(kill, options.limitMs ?? patienceMs);
    const [code] = (await once(child, "close")) as [number | null];
    clearTimeout(timer);
    return { code, stdout, stderr };
  }

  /** As `cli`, and the command has to succeed. */
  async run(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.cli(args);
    if (code !== 0) throw new Error(`drover ${args.join(" ")} ended with ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Applies a manifest given as text; it has to succeed. */
  async apply(manifest: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.cli(["apply", "-", ...args], { input: manifest });
    if (code !== 0) throw new Error(`drover apply ended with ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** A file below the home, for sources and the like. */
  async file(path: string, text: string, mode = 0o644): Promise<string> {
    const file = join(this.home, "work", path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text, { mode });
    return file;
  }

  async token(): Promise<string> {
    return (await readFile(join(this.home, "token"), "utf8")).trim();
  }

  async api(
    method: string,
    path: string,
    options: { readonly body?: unknown; readonly headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    return request({
      port: this.apiPort,
      method,
      path,
      headers: {
        authorization: `Bearer ${await this.token()}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...options.headers,
      },
      ...(body === undefined ? {} : { body }),
    });
  }

  /** A request through the edge. */
  get(
    host: string,
    path = "/",
    options: { readonly method?: string; readonly headers?: Record<string, string>; readonly body?: string } = {},
  ): Promise<Answer> {
    return request({
      port: this.edgePort,
      method: options.method ?? "GET",
      path,
      headers: { host, ...options.headers },
      ...(options.body === undefined ? {} : { body: options.body }),
    });
  }

  /** Looks every 20 ms until `check` is true, and says what never came. Errors of `check` count as not yet, the last is the cause. */
  async until(what: string, check: () => Promise<boolean>, limitMs = patienceMs): Promise<void> {
    const end = performance.now() + limitMs;
    let cause: unknown;
    while (performance.now() < end) {
      try {
        if (await check()) return;
      } catch (error) {
        cause = error;
      }
      await delay(20);
    }
    throw new Error(`never came: ${what}\n${this.#output.slice(-4_000)}`, { cause });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#agent !== null && this.#agent.exitCode === null && this.#agent.signalCode === null) {
      const ended = once(this.#agent, "exit");
      this.#agent.kill("SIGTERM");
      await Promise.race([ended, delay(20_000, undefined, { ref: false })]);
      if (this.#agent.exitCode === null && this.#agent.signalCode === null) this.#agent.kill("SIGKILL");
    }
    for (const pid of await processesOf(this.home)) killIfThere(pid);
    // Instances that were just killed may still be writing: what they write between the look and the removal is removed by the next try.
    await rm(this.home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/** Pids of living processes whose arguments, environment or folder name this home (and `needle`, in their arguments). */
export async function processesOf(home: string, needle?: string): Promise<number[]> {
  const found = await Promise.all(
    (await allPids()).map(async (pid) => {
      if (pid === process.pid) return [];
      // One that has ended, and that nobody has waited for yet, has neither.
      const args = (await textOfProcess(pid, "cmdline")).replaceAll("\0", " ");
      if (needle !== undefined && !args.includes(needle)) return [];
      const isOfHome =
        args.includes(home) ||
        (await textOfProcess(pid, "environ")).includes(home) ||
        ((await linkOfProcess(pid, "cwd")) ?? "").startsWith(home);
      return isOfHome ? [pid] : [];
    }),
  );
  return found.flat();
}

/** As `processesOf`, without the shells that wait for them. */
export async function nodeProcessesOf(home: string, needle: string): Promise<number[]> {
  const pids = await processesOf(home, needle);
  const own = await Promise.all(pids.map(async (pid) => ((await linkOfProcess(pid, "exe"))?.endsWith("/node") === true ? [pid] : [])));
  return own.flat();
}

export function request(options: {
  readonly port: number;
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
  readonly agent?: http.Agent;
  readonly timeoutMs?: number;
}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = http.request(
      {
        host: "127.0.0.1",
        port: options.port,
        method: options.method,
        path: options.path,
        headers: options.headers,
        agent: options.agent ?? false,
        timeout: options.timeoutMs ?? 30_000,
      },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk) => (body += chunk));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body, headers: response.headers }));
        response.on("error", reject);
      },
    );
    call.on("timeout", () => call.destroy(new Error("timed out")));
    call.on("error", reject);
    call.end(options.body);
  });
}
