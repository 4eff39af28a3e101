import { closeSync, existsSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename } from "node:path";
import { hasCode } from "#model/errors.ts";

/** A TCP socket that waits for connections. */
export interface Listener {
  readonly port: number;
  /** Whether a connection to 127.0.0.1 reaches it. */
  readonly reachable: boolean;
  /** Whether connections from other machines reach it too. */
  readonly isOpen: boolean;
  readonly inode: string;
}

/** The kernel's code for LISTEN in /proc/net/tcp. */
const listening = "0A";

/** The listening sockets in a text of the form of /proc/net/tcp or tcp6. */
export function parseListeners(text: string): Listener[] {
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => parseListener(line) ?? []);
}

/** Null for a line of anything but a listening socket. */
function parseListener(line: string): Listener | null {
  const fields = line.trim().split(/\s+/);
  const [, local = "", , state] = fields;
  if (state !== listening) return null;
  const [address = "", port = ""] = local.split(":");
  return { port: Number.parseInt(port, 16), reachable: isReachable(address), isOpen: !isLoopback(address), inode: fields[9] ?? "" };
}

/** Addresses are hexadecimal words in the machine's byte order, which is little-endian wherever Node runs. */
function isReachable(address: string): boolean {
  if (/^0+$/.test(address)) return true;
  // 127.0.0.1 alone, and written as an IPv6 address.
  return address === "0100007F" || address === "0000000000000000FFFF00000100007F";
}

/** 127.0.0.0/8, written as an IPv6 address too, and ::1. */
function isLoopback(address: string): boolean {
  return /^(?:0{16}FFFF0000)?[0-9A-F]{6}7F$/.test(address) || address === "00000000000000000000000001000000";
}

/** Lines are 150 bytes in one table and a little more in the other: about one line a read, so that the kernel makes no more than is asked for. */
const lineBytes = 256;

/**
 * The sockets that listen on `port`, one after another. The kernel's tables begin with the listening ones; what follows is every connection of the
 * machine, which takes milliseconds to list: whoever has found what it looks for, stops. Nothing is read from a disk, so nothing waits.
 * Null where the machine has no such tables.
 */
export function listenersOn(port: number): Iterable<Listener> | null {
  return existsSync(tables[0]) ? findListeners(port) : null;
}

const tables = ["/proc/net/tcp", "/proc/net/tcp6"] as const;

function* findListeners(port: number): Generator<Listener, void, void> {
  for (const table of tables) {
    for (const line of linesOf(table)) {
      const listener = parseListener(line);
      if (listener === null) break;
      if (listener.port === port) yield listener;
    }
  }
}

/** The lines of a file below /proc, without the first, read as they are asked for. */
function* linesOf(file: string): Generator<string, void, void> {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return;
    throw error;
  }
  try {
    const chunk = Buffer.alloc(lineBytes);
    let text = "";
    let isFirst = true;
    for (let bytes = readSync(fd, chunk); bytes > 0; bytes = readSync(fd, chunk)) {
      text += chunk.toString("latin1", 0, bytes);
      for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n")) {
        const line = text.slice(0, end);
        text = text.slice(end + 1);
        if (!isFirst) yield line;
        isFirst = false;
      }
    }
  } finally {
    closeSync(fd);
  }
}

/** A socket that a process holds open, by where it can be seen. */
export interface HeldSocket {
  readonly link: string;
  readonly inode: string;
}

/** Whether the process still holds it: one look, and no connection that the app would notice. */
export function isHeld({ link, inode }: HeldSocket): boolean {
  try {
    return readlinkSync(link) === `socket:[${inode}]`;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

/** All sockets that these processes hold, by inode. */
export function heldSockets(pids: readonly number[]): ReadonlyMap<string, HeldSocket> {
  const held = new Map<string, HeldSocket>();
  for (const pid of pids) {
    for (const link of openFiles(pid)) {
      try {
        const target = readlinkSync(link);
        if (target.startsWith("socket:[")) held.set(target.slice(8, -1), { link, inode: target.slice(8, -1) });
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    }
  }
  return held;
}

function openFiles(pid: number): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).map((name) => `${folder}/${name}`);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** Processes end while they are looked at, and those of others are closed to us: neither holds a socket of the instance. */
function isGone(error: unknown): boolean {
  return ["ENOENT", "ESRCH", "EACCES", "EPERM"].some((code) => hasCode(error, code));
}

/** All listening sockets of this machine; null where it has no such tables. Costs milliseconds: for telling people what is wrong. */
export async function readListeners(): Promise<readonly Listener[] | null> {
  try {
    const texts = await Promise.all(tables.map((file) => readFile(file, "utf8").catch(emptyIfMissing)));
    return texts.every((text) => text === "") ? null : texts.flatMap(parseListeners);
  } catch (error) {
    if (hasCode(error, "EACCES")) return null;
    throw error;
  }
}

function emptyIfMissing(error: unknown): string {
  if (hasCode(error, "ENOENT")) return "";
  throw error;
}

function emptyIfGone(error: unknown): "" {
  if (isGone(error)) return "";
  throw error;
}

/** `process 4711 (nginx)` of whoever listens on a port, in words; null when it cannot be learnt. */
export async function describeOwner(inode: string): Promise<string | null> {
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const pid = Number(name);
    if (!heldSockets([pid]).has(inode)) continue;
    const program = programName((await readFile(`/proc/${pid}/cmdline`, "utf8").catch(emptyIfGone)).split("\0"));
    return program === "" ? `process ${pid}` : `process ${pid} (${program})`;
  }
  return null;
}

/** Programs that are known by what they run. */
const interpreters = /^(node|nodejs|deno|bun|python[\d.]*|ruby[\d.]*|perl[\d.]*|php[\d.]*|java|sh|bash|dash|zsh)$/;

/**
 * What people know a program by: the base name of its command, and of the script where the command is an interpreter (`python3 app.py`). From the
 * command line, because the kernel's name of a process is that of its main thread, which Node calls "MainThread". Empty for none.
 */
export function programName([command = "", ...args]: readonly string[]): string {
  const own = /\/src\/(agent|server|edge)\/main\.ts$/.exec(args.find((arg) => arg.endsWith("/main.ts")) ?? "")?.[1];
  if (own !== undefined) return `drover ${own}`;
  const name = basename(command);
  if (!interpreters.test(name)) return name;
  // `python3 -m http.server` is known by its module, and what follows another option may be its value.
  const module = name.startsWith("python") && args[0] === "-m" ? args[1] : undefined;
  const script = module ?? args.find((arg) => arg !== "" && !arg.startsWith("-"));
  return script === undefined ? name : `${name} ${module ?? basename(script)}`;
}
