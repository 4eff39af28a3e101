import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { hasCode } from "#model/errors.ts";
import { root } from "./drover.ts";
import { testCertificate } from "./test-certificate.ts";

const unpacked = join(root, "node_modules", ".cache", "drover-system");
const program = join(unpacked, "usr", "sbin", "rsyslogd");
const [tlsModule = ""] = globSync("usr/lib/*/rsyslog/lmnsd_ossl.so", { cwd: unpacked });

/** Why there is none; null: there is. */
export function rsyslogMissing(): string | null {
  return existsSync(program) && tlsModule !== "" ? null : "there is no rsyslogd with TLS";
}

/** rsyslog as Debian has it, which takes RFC 5424 over TLS on a port of its own and writes down what it understood. */
export class TestRsyslog implements AsyncDisposable {
  readonly port: number;
  /** That its certificate is of. */
  readonly ca: string;
  readonly #folder: string;
  #process: ChildProcess | null = null;

  private constructor(folder: string, port: number, ca: string) {
    this.#folder = folder;
    this.port = port;
    this.ca = ca;
  }

  /** Prepares one that does not run yet. */
  static async prepare(port: number): Promise<TestRsyslog> {
    const folder = await mkdtemp(join(tmpdir(), "drover-rsyslog-"));
    const { key, cert } = await testCertificate();
    await writeFile(join(folder, "key.pem"), key, { mode: 0o600 });
    await writeFile(join(folder, "cert.pem"), cert);
    const template = ["priority", "hostname", "app-name", "procid", "msgid", "structured-data", "msg"].map((name) =>
      name === "priority" ? "%pri%" : `%${name}%`,
    );
    const settings = [
      `global(workDirectory="${folder}" maxMessageSize="128k" defaultNetstreamDriver="ossl" defaultNetstreamDriverCAFile="${folder}/cert.pem"`,
      `  defaultNetstreamDriverCertFile="${folder}/cert.pem" defaultNetstreamDriverKeyFile="${folder}/key.pem")`,
      'module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")',
      `template(name="parts" type="string" string="${template.join("|")}\\n")`,
      `input(type="imtcp" address="127.0.0.1" port="${port}" ruleset="kept")`,
      `ruleset(name="kept") { action(type="omfile" file="${folder}/kept.log" template="parts") }`,
    ];
    await writeFile(join(folder, "rsyslog.conf"), `${settings.join("\n")}\n`);
    return new TestRsyslog(folder, port, cert);
  }

  /** Runs it (again), and resolves when it listens. */
  async start(): Promise<void> {
    const libraries = dirname(dirname(join(unpacked, tlsModule)));
    const args = [
      "-n",
      "-f",
      join(this.#folder, "rsyslog.conf"),
      "-i",
      join(this.#folder, "pid"),
      "-M",
      dirname(join(unpacked, tlsModule)),
    ];
    this.#process = spawn(program, args, { env: { LD_LIBRARY_PATH: libraries }, stdio: "ignore" });
    while (!(await isOpen(this.port))) {
      if (this.#process.exitCode !== null) throw new Error(`rsyslogd ended with ${this.#process.exitCode}`);
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

  /** What it wrote down: priority, host, app, process id, message id, structured data and text, with bars between. */
  async kept(): Promise<readonly string[]> {
    try {
      return (await readFile(join(this.#folder, "kept.log"), "utf8")).trimEnd().split("\n");
    } catch (error) {
      if (hasCode(error, "ENOENT")) return [];
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function isOpen(port: number): Promise<boolean> {
  const socket = createConnection({ port, host: "127.0.0.1" });
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}
