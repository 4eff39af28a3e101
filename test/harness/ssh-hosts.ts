import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { root } from "./drover.ts";
import { type Host, Hosts, whyNoHosts } from "./hosts.ts";

/** For what takes milliseconds where nothing else runs. */
const startMs = 60_000;
/** Where the set-up of the tests puts one that is not installed. */
const sshd = ["/usr/sbin/sshd", join(root, "node_modules", ".cache", "drover-system", "usr", "sbin", "sshd")].find(existsSync);

/** Why there can be no hosts that are reached over SSH; null if there can. */
export function whyNoSshHosts(): string | null {
  const why = whyNoHosts();
  if (why !== null) return why;
  const missing = ["ssh", "ssh-keygen", "sudo", "bash", "timeout"].filter((program) => programOnPath(program) === null);
  if (missing.length > 0) return `${missing.join(", ")} missing`;
  if (sshd === undefined) return "there is no sshd";
  // It says that it was called wrongly, if it can be started at all.
  const { stderr } = spawnSync(sshd, ["-?"], { encoding: "utf8" });
  if (!/usage: sshd/.test(stderr)) return `sshd does not start: ${stderr.trim()}`;
  // As ssh-host-disk.sh does it, in a place that ends with the command.
  const mounts =
    "mount -t tmpfs tmpfs /srv; mkdir /srv/up /srv/work; mount -t overlay overlay -o lowerdir=/etc,upperdir=/srv/up,workdir=/srv/work /etc";
  const { status, stderr: refused } = spawnSync("unshare", ["--mount", "sh", "-euc", mounts], { encoding: "utf8" });
  return status === 0 ? null : `folders of hosts cannot be laid over those here: ${refused.trim()}`;
}

/** Hosts that have nothing of Drover, and an SSH server that lets in `root`, `free` (sudo without a password), `asked` (with one) and `barred` (no sudo). */
export class SshHosts implements AsyncDisposable {
  static readonly password = "open sesame";
  readonly #hosts: Hosts;
  readonly #folder: string;
  /** What is left of a host that is off, by its name. */
  readonly #disks = new Map<string, ChildProcess>();

  private constructor(hosts: Hosts, folder: string) {
    this.#hosts = hosts;
    this.#folder = folder;
  }

  /** @param isOpen whether they and this machine reach each other */
  static async up(count: number, isOpen = false): Promise<SshHosts> {
    const folder = await mkdtemp(join(tmpdir(), "drover-ssh-hosts-"));
    const made = new SshHosts(await Hosts.up(count, isOpen), folder);
    await chmod(folder, 0o755);
    keygen(join(folder, "id"));
    return made;
  }

  /** The private key that all hosts let in. */
  get identity(): string {
    return join(this.#folder, "id");
  }

  get(name: string): Host {
    return this.#hosts.get(name);
  }

  /** Where the hosts reach this machine, if they do. */
  get own(): string {
    return this.#hosts.own;
  }

  /** Gives a host a disk and an SSH server. @param diskMib how much can be written on it */
  async serve(name: string, diskMib = 700): Promise<Host> {
    const keys = this.#keysOf(name);
    await mkdir(keys);
    keygen(join(keys, "host"));
    await copyFile(`${this.identity}.pub`, join(keys, "id.pub"));
    const script = join(root, "test", "harness", "ssh-host-disk.sh");
    const disk = spawn("unshare", ["--mount", script, keys, `${diskMib}m`], { stdio: ["ignore", "pipe", "inherit"] });
    this.#disks.set(name, disk);
    await once(disk.stdout, "data", { signal: AbortSignal.timeout(startMs) });
    await this.powerOff(name);
    return this.powerOn(name);
  }

  /** The power of a host goes; its disk stays. */
  async powerOff(name: string): Promise<void> {
    await this.get(name).powerOff();
  }

  /** A host with a disk starts, with its SSH server and nothing else. One that is on is left alone. */
  async powerOn(name: string): Promise<Host> {
    const host = this.get(name);
    const disk = this.#disks.get(name)?.pid;
    if (sshd === undefined || disk === undefined) throw new Error(sshd === undefined ? "there is no sshd" : `${name} has no disk`);
    if (host.isOn) return host;
    await host.powerOn(disk);
    const [program = "", ...enter] = host.enter;
    const script = join(root, "test", "harness", "ssh-host.sh");
    const server = spawn(program, [...enter, script, sshd, this.#keysOf(name)], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    const signal = AbortSignal.timeout(startMs);
    while (!/Server listening on/.test(said)) {
      const [chunk] = await Promise.race([once(server.stderr, "data", { signal }), once(server, "exit", { signal }).then(() => [null])]);
      if (chunk === null) throw new Error(`the SSH server of ${name} has ended:\n${said}`);
      said += chunk;
    }
    // Whoever logs in is told of there.
    server.stderr.resume();
    return host;
  }

  #keysOf(name: string): string {
    return join(this.#folder, name);
  }

  /** A line of known hosts with another key for this port than is shown there, as of an address that was another host's before. */
  async knownOtherwise(name: string, port: number): Promise<string> {
    const key = join(this.#folder, `${name}-before`);
    keygen(key);
    return `[${this.get(name).address}]:${port} ${await readFile(`${key}.pub`, "utf8")}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#hosts[Symbol.asyncDispose]();
    for (const disk of this.#disks.values()) {
      // Ctrl-C of a terminal has ended it already.
      if (disk.exitCode !== null || disk.signalCode !== null) continue;
      const ended = once(disk, "exit");
      disk.kill("SIGKILL");
      await ended;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Runs a command on a host as root, with the script on its standard input; it has to succeed. */
export function runOn(host: Host, script: string): string {
  const [program = "", ...enter] = host.enter;
  const { status, stdout, stderr } = spawnSync(program, [...enter, "sh", "-eu"], { input: script, encoding: "utf8" });
  if (status !== 0) throw new Error(`on ${host.name}: ${stderr}`);
  return stdout;
}

function keygen(file: string): void {
  const { status, stderr } = spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file], { encoding: "utf8" });
  if (status !== 0) throw new Error(`ssh-keygen: ${stderr}`);
}
