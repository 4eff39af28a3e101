import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { DroverError, hasCode } from "#model/errors.ts";
import { formatTarget, type Target } from "#model/ssh-target.ts";
import { connectionFailure, destinationKey, pinnedKeys } from "./ssh-words.ts";

export interface SshOptions {
  /** Where keys of hosts are pinned when they are first seen. */
  readonly knownHosts: string;
  /** Whether what the person who runs this has set up counts: configuration, keys, agents, known hosts. The server's are nobody's. */
  readonly isPersonal: boolean;
  /** As `ssh -J` takes them, checked; null: as the person's own configuration has it. */
  readonly jump: string | null;
  /** A file with a private key: besides those of the person's own configuration, or alone. */
  readonly identity: string | null;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** One command on a host. */
export interface Command {
  /** As the host's login shell reads it: no word of anybody's but ours, so that none has to be quoted. */
  readonly line: string;
  readonly input: AsyncIterable<Buffer | string>;
  readonly timeoutMs: number;
}

export interface Finished {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** A connection to a host, over which commands run one after another. */
export interface Connection extends AsyncDisposable {
  /** The key that the host showed, such as `ssh-ed25519 SHA256:…`; empty if the SSH program did not say. */
  readonly key: string;
  /** Keys that were seen for the first time, and are pinned now. */
  readonly pinned: readonly { readonly host: string; readonly key: string }[];
  /** @throws {DroverError} SSH_FAILED if the connection breaks, or it takes too long */
  run(command: Command, signal: AbortSignal): Promise<Finished>;
}

export type Connect = (target: Target, log: (line: string) => void, signal: AbortSignal) => Promise<Connection>;

/** To connect and to greet; a host on another continent behind two others does it in three. */
const connectS = 10;
/** A connection of which nothing is heard for three of these is broken. */
const aliveS = 5;
/** Connecting, with the jump hosts before it, each of which has its own time. */
const longestConnectMs = 60_000;
/** What a command of ours prints is a few kilobytes; the rest is some login shell's. */
const mostOutput = 2 ** 20;
/** The first command on a connection: it says that the connection stands, and ends when its input does. */
const keepOpen = 'sh -c "echo drover:connected; exec cat >/dev/null"';

/**
 * Connections by the system's own `ssh`, with everything that the person has set up for it: configuration, agents, keys in hardware, certificates, jump hosts
 * (docs/decisions/0026-system-ssh.md). Each host has one, which all commands on it share, and which ends with this program, however that ends.
 * @throws {DroverError} SSH_FAILED without an `ssh`
 */
export async function openSsh(options: SshOptions): Promise<{ readonly connect: Connect } & AsyncDisposable> {
  await mkdir(dirname(options.knownHosts), { recursive: true, mode: 0o700 });
  // Short, because the name of a socket may have a hundred characters.
  const folder = await mkdtemp(join(tmpdir(), "drover-ssh-"));
  const configuration = join(folder, "config");
  await writeFile(configuration, configurationOf(options), { mode: 0o600 });
  let count = 0;
  return {
    connect: (target, log, signal) => connect({ options, configuration, socket: join(folder, String(count++)), target, log }, signal),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** In a file, since jump hosts get what is written there and not what is said on the command line. What is said first counts. */
function configurationOf({ knownHosts, identity, isPersonal }: SshOptions): string {
  const personal = (file: string) => join(homedir(), ".ssh", file);
  const known = [knownHosts, ...(isPersonal ? [personal("known_hosts")] : [])];
  const lines = [
    "Host *",
    // No key is asked for with words: agents, files without a password and hardware answer by themselves.
    "BatchMode yes",
    "StrictHostKeyChecking accept-new",
    `UserKnownHostsFile ${known.map(quoted).join(" ")}`,
    "HashKnownHosts no",
    "UpdateHostKeys no",
    `ConnectTimeout ${connectS}`,
    `ServerAliveInterval ${aliveS}`,
    "ServerAliveCountMax 3",
    "ForwardAgent no",
    "ForwardX11 no",
    "ClearAllForwardings yes",
    "RemoteCommand none",
    "RequestTTY no",
    ...(identity === null ? [] : [`IdentityFile ${quoted(identity)}`]),
    ...(isPersonal ? [] : ["IdentitiesOnly yes", "IdentityAgent none", "GlobalKnownHostsFile none"]),
    // What is given with -F stands for both of these.
    ...(isPersonal ? [personal("config"), "/etc/ssh/ssh_config"] : []).filter(existsSync).map((file) => `Include ${quoted(file)}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** "%" begins a name of something else there. */
function quoted(path: string): string {
  return `"${path.replaceAll("%", "%%")}"`;
}

interface Connecting {
  readonly options: SshOptions;
  readonly configuration: string;
  readonly socket: string;
  readonly target: Target;
  readonly log: (line: string) => void;
}

async function connect({ options, configuration, socket, target, log }: Connecting, signal: AbortSignal): Promise<Connection> {
  const destination = [
    ...(options.jump === null ? [] : ["-J", options.jump]),
    ...(target.user === null ? [] : ["-l", target.user]),
    ...(target.port === null ? [] : ["-p", String(target.port)]),
    "--",
    target.host,
  ];
  const env = { ...options.environment, LC_ALL: "C" };
  const start = (args: readonly string[], line: string) =>
    // In a group of its own: Ctrl-C is for this program, which has something to take back over the connection.
    spawn("ssh", ["-F", configuration, "-S", socket, "-T", ...args, ...destination, line], { env, stdio: "pipe", detached: true });

  const master = start(["-v", "-M", "-o", "ControlPersist=no"], keepOpen);
  const ended = endOf(master);
  let said = "";
  master.stderr.on("data", (chunk: Buffer) => (said = (said + chunk).slice(-mostOutput)));
  createInterface({ input: master.stderr }).on("line", (line) => log(line.trimEnd()));
  // A pipe of a program that has ended is told of by its end.
  master.stdin.on("error", () => undefined);
  const close = async () => {
    master.stdin.end();
    master.kill("SIGTERM");
    await ended;
  };
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(longestConnectMs)]);
    const isOpen = await Promise.race([connected(master, limit), ended.then(() => false)]);
    if (!isOpen) throw connectionFailure(said, formatTarget({ ...target, name: null }), options.knownHosts);
  } catch (error) {
    await close();
    signal.throwIfAborted();
    if (hasCode(error, "ABORT_ERR"))
      throw new DroverError("SSH_FAILED", `no connection within ${longestConnectMs / 1_000} s`, {
        hint: "Try by hand with the same user and host: ssh -v USER@HOST.",
      });
    throw error;
  }
  return {
    key: destinationKey(said),
    pinned: pinnedKeys(said),
    run: (command, until) => run(start(["-o", "ControlMaster=no"], command.line), command, until),
    [Symbol.asyncDispose]: close,
  };
}

/** True once the first command says that it runs. What a login shell prints before that is no answer. */
async function connected({ stdout }: ChildProcess, signal: AbortSignal): Promise<boolean> {
  let seen = "";
  if (stdout === null) return false;
  while (!/^drover:connected\r?$/m.test(seen)) seen = (seen + (await once(stdout, "data", { signal }))[0]).slice(-mostOutput);
  stdout.resume();
  return true;
}

/** @throws {DroverError} SSH_FAILED if there is no `ssh` */
function endOf(child: ChildProcess): Promise<number | null> {
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("close", resolve);
    child.once("error", (error) =>
      reject(
        hasCode(error, "ENOENT")
          ? new DroverError("SSH_FAILED", 'there is no program "ssh" here', { hint: "Install the OpenSSH client.", cause: error })
          : error,
      ),
    );
  });
  // Whoever waits hears of it; this keeps it from ending the process when nobody does yet.
  ended.catch(() => {});
  return ended;
}

async function run(child: ReturnType<typeof spawn>, { input, timeoutMs }: Command, signal: AbortSignal): Promise<Finished> {
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error("a pipe of ssh is missing");
  const limit = AbortSignal.timeout(timeoutMs);
  const stop = AbortSignal.any([signal, limit]);
  const kill = () => child.kill("SIGKILL");
  stop.addEventListener("abort", kill, { once: true });
  let output = "";
  let errors = "";
  stdout.on("data", (chunk: Buffer) => (output = (output + chunk).slice(-mostOutput)));
  stderr.on("data", (chunk: Buffer) => (errors = (errors + chunk).slice(-mostOutput)));
  const fed = pipeline(input, stdin).catch((error: unknown) => {
    // The other end stopped reading: its own words, which come with its end, say why.
    if (!hasCode(error, "EPIPE") && !hasCode(error, "ERR_STREAM_PREMATURE_CLOSE")) throw error;
  });
  try {
    const [code] = await Promise.all([endOf(child), fed]);
    signal.throwIfAborted();
    if (limit.aborted)
      throw new DroverError("SSH_FAILED", `nothing came of it within ${timeoutMs / 1_000} s`, {
        hint: "Look at what the host is busy with, and run the command again.",
      });
    return { code, output, errors };
  } finally {
    stop.removeEventListener("abort", kill);
    kill();
  }
}
