import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { root } from "./drover.ts";

/** Networks of their own that test hosts take, one after another, so that two sets can be there at once. */
const networks = Array.from({ length: 50 }, (_, i) => `10.213.${i + 1}`);
/** For what takes milliseconds where nothing else runs. */
const setUpMs = 60_000;

/** Why hosts cannot be made here; null if they can. */
export function whyNoHosts(): string | null {
  if (process.platform !== "linux") return "hosts are made of Linux namespaces";
  if (process.getuid?.() !== 0) return "making hosts needs root";
  const missing = ["ip", "unshare", "nsenter"].filter((program) => programOnPath(program) === null);
  if (missing.length > 0) return `${missing.join(", ")} missing`;
  const name = `drvt${process.pid}`;
  const { status, stderr } = spawnSync("ip", ["netns", "add", name], { encoding: "utf8" });
  if (status !== 0) return `network namespaces cannot be made: ${stderr.trim()}`;
  ip("netns", "del", name);
  return null;
}

/**
 * A few hosts on this one: each has a network with an address, a process tree and a host name of its own, and all hang on one switch. They share the
 * disk, so that a program here can look into their homes.
 */
export class Hosts implements AsyncDisposable {
  readonly #prefix: string;
  readonly #network: string;
  readonly #hosts = new Map<string, Host>();

  private constructor(network: string) {
    this.#prefix = prefixOf(network);
    this.#network = network;
  }

  /** Makes h1, h2, … @param isOpen whether they and this machine reach each other @throws {Error} what the system refuses */
  static async up(count: number, isOpen = false): Promise<Hosts> {
    const hosts = new Hosts(takeNetwork());
    try {
      hosts.#makeSwitch();
      if (isOpen) hosts.#plugIn();
      for (let number = 1; number <= count; number++) await hosts.#make(number);
      return hosts;
    } catch (error) {
      await hosts[Symbol.asyncDispose]();
      throw error;
    }
  }

  get(name: string): Host {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new Error(`there is no host ${name}`);
    return host;
  }

  /** Keeps every byte that goes over the switch from now on, as whoever listens on the network has it. */
  async capture(): Promise<Capture> {
    const program = spawn("ip", ["netns", "exec", `${this.#prefix}-switch`, "perl", "-e", captureProgram], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    // It says when its socket is open: what is sent before is not there.
    await once(program.stderr, "data", { signal: AbortSignal.timeout(setUpMs) });
    return new Capture(program);
  }

  #makeSwitch(): void {
    const name = `${this.#prefix}-switch`;
    ip("-n", name, "link", "add", "br0", "type", "bridge", "stp_state", "0");
    ip("-n", name, "link", "set", "br0", "up");
  }

  /** Where the hosts reach this machine, if they do. */
  get own(): string {
    return `${this.#network}.1`;
  }

  /** A cable from the switch to this machine; it goes with the switch. */
  #plugIn(): void {
    const [center, cable] = [`${this.#prefix}-switch`, `${this.#prefix}-own`];
    ip("link", "add", cable, "type", "veth", "peer", "name", "own", "netns", center);
    ip("-n", center, "link", "set", "own", "master", "br0", "up");
    ip("addr", "add", `${this.own}/24`, "dev", cable);
    ip("link", "set", cable, "up");
  }

  async #make(number: number): Promise<void> {
    const name = `h${number}`;
    const [space, center, cable] = [`${this.#prefix}-${name}`, `${this.#prefix}-switch`, `p${number}`];
    ip("netns", "add", space);
    ip("link", "add", "eth0", "netns", space, "type", "veth", "peer", "name", cable, "netns", center);
    ip("-n", center, "link", "set", cable, "master", "br0", "up");
    ip("-n", space, "link", "set", "lo", "up");
    ip("-n", space, "link", "set", "eth0", "up");
    const address = `${this.#network}.${10 + number}`;
    ip("-n", space, "addr", "add", `${address}/24`, "dev", "eth0");
    const host = new Host({ name, address, space, center, cable });
    this.#hosts.set(name, host);
    await host.powerOn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.#hosts.values()) await host.powerOff();
    for (const host of this.#hosts.values()) ip("netns", "del", host.space);
    ip("netns", "del", `${this.#prefix}-switch`);
  }
}

/** Takes the first free one by making its switch, which fails where another set of hosts was faster. */
function takeNetwork(): string {
  const taken = run("ip", ["netns", "list"]);
  let why = "all networks of test hosts are taken";
  for (const network of networks) {
    const prefix = prefixOf(network);
    if (taken.includes(`${prefix}-`)) continue;
    const { status, stderr } = spawnSync("ip", ["netns", "add", `${prefix}-switch`], { encoding: "utf8", timeout: setUpMs });
    if (status === 0) return network;
    why = stderr.trim();
    if (!/exists/.test(why)) break;
  }
  throw new Error(why);
}

function prefixOf(network: string): string {
  return `drv${network.split(".")[2]}`;
}

/** A raw socket for all that arrives on any interface (packet(7)), by what every Debian has. */
const captureProgram = `use Socket; $| = 1; socket(my $all, 17, SOCK_RAW, 0x300) or die $!; print STDERR "open\\n";
  while (defined sysread($all, my $packet, 65536)) { syswrite(STDOUT, $packet) or last }`;

export class Capture implements AsyncDisposable {
  readonly #program: ChildProcess;
  readonly #parts: Buffer[] = [];

  constructor(program: ChildProcess) {
    this.#program = program;
    program.stdout?.on("data", (bytes: Buffer) => this.#parts.push(bytes));
  }

  has(text: string): boolean {
    return Buffer.concat(this.#parts).includes(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#program.exitCode !== null) return;
    const ended = once(this.#program, "exit");
    this.#program.kill("SIGKILL");
    await ended;
  }
}

interface HostParts {
  readonly name: string;
  readonly address: string;
  readonly space: string;
  readonly center: string;
  readonly cable: string;
}

export class Host {
  readonly name: string;
  readonly address: string;
  /** Its network, as `ip netns` calls it. */
  readonly space: string;
  readonly #center: string;
  readonly #cable: string;
  #init: ChildProcess | null = null;
  #first = 0;

  constructor({ name, address, space, center, cable }: HostParts) {
    this.name = name;
    this.address = address;
    this.space = space;
    this.#center = center;
    this.#cable = cable;
  }

  get isOn(): boolean {
    return this.#init !== null && this.#init.exitCode === null && this.#init.signalCode === null;
  }

  /** What goes before a command line so that it runs on this host. */
  get enter(): readonly string[] {
    return ["nsenter", "--target", String(this.#first), "--net", "--pid", "--uts", "--mount", "--"];
  }

  /** Starts it, with nothing on it but its first process. @param disks whose view of the file system it gets: a process's pid; this one's if left out */
  async powerOn(disks: number = process.pid): Promise<void> {
    // Everything that is started on the host ends with its first process.
    const init = spawn(
      "nsenter",
      [
        `--net=/run/netns/${this.space}`,
        `--mount=/proc/${disks}/ns/mnt`,
        "unshare",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "--uts",
        join(root, "test", "harness", "host-init.sh"),
        this.name,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    this.#init = init;
    // It says when it is up, so that nobody enters a host that is still being made.
    await once(init.stdout, "data", { signal: AbortSignal.timeout(setUpMs) });
    // unshare forks once: its child is the first in there, which all others of the host are below.
    const children = await readFile(`/proc/${init.pid}/task/${init.pid}/children`, "utf8");
    this.#first = Number(children.trim().split(" ")[0]);
    if (!(this.#first > 1)) throw new Error(`host ${this.name} has no first process`);
    this.heal();
  }

  /** Nothing goes in or out any more; whoever waits for an answer is told nothing. */
  cut(): void {
    ip("-n", this.#center, "link", "set", this.#cable, "down");
  }

  heal(): void {
    ip("-n", this.#center, "link", "set", this.#cable, "up");
  }

  /** The power goes: no connection is closed, no process does anything any more. */
  async powerOff(): Promise<void> {
    if (this.#init === null || !this.isOn) return;
    this.cut();
    const ended = once(this.#init, "exit");
    this.#init.kill("SIGKILL");
    await ended;
  }
}

function ip(...args: readonly string[]): void {
  run("ip", args);
}

function run(program: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8", timeout: setUpMs });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr.trim()}`);
  return stdout;
}
