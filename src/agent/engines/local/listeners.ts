import { readdir, readFile, readlink } from "node:fs/promises";
import { hasCode } from "#model/errors.ts";

/** A TCP socket that waits for connections. */
export interface Listener {
  readonly port: number;
  /** Whether a connection to 127.0.0.1 reaches it. */
  readonly reachable: boolean;
  readonly inode: string;
}

/** The kernel's code for LISTEN in /proc/net/tcp. */
const listening = "0A";

/** The listening sockets in a text of the form of /proc/net/tcp or tcp6. */
export function parseListeners(text: string): Listener[] {
  const found: Listener[] = [];
  for (const line of text.split("\n").slice(1)) {
    const fields = line.trim().split(/\s+/);
    const [, local = "", , state] = fields;
    if (state !== listening) continue;
    const [address = "", port = ""] = local.split(":");
    found.push({ port: Number.parseInt(port, 16), reachable: isReachable(address), inode: fields[9] ?? "" });
  }
  return found;
}

/** Addresses are hexadecimal words in the machine's byte order, which is little-endian wherever Node runs. */
function isReachable(address: string): boolean {
  if (/^0+$/.test(address)) return true;
  // 127.0.0.1 alone, and written as an IPv6 address.
  return address === "0100007F" || address === "0000000000000000FFFF00000100007F";
}

/** How old an answer may be: long enough that hundreds of instances that start together share one read. */
const freshMs = 4;

export interface ListenerTable {
  /** All listening sockets of this machine, at most a few milliseconds old. Null where the machine has no such table. */
  read(): Promise<readonly Listener[] | null>;
}

export function createListenerTable(monotonicMs: () => number): ListenerTable {
  let readAtMs = Number.NEGATIVE_INFINITY;
  let latest: Promise<readonly Listener[] | null> = Promise.resolve(null);
  return {
    read: () => {
      if (monotonicMs() - readAtMs >= freshMs) {
        readAtMs = monotonicMs();
        latest = readListeners();
      }
      return latest;
    },
  };
}

async function readListeners(): Promise<readonly Listener[] | null> {
  try {
    const texts = await Promise.all(["/proc/net/tcp", "/proc/net/tcp6"].map((file) => readFile(file, "utf8").catch(emptyIfMissing)));
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

/** The inodes of all sockets that these processes hold. */
export async function socketInodes(pids: readonly number[]): Promise<Set<string>> {
  const inodes = new Set<string>();
  for (const pid of pids) {
    const folder = `/proc/${pid}/fd`;
    const names = await readdir(folder).catch(goneIsEmpty);
    for (const name of names) {
      const target = await readlink(`${folder}/${name}`).catch(() => "");
      if (target.startsWith("socket:[")) inodes.add(target.slice(8, -1));
    }
  }
  return inodes;
}

/** Processes end while they are looked at, and those of others are closed to us: neither holds a socket of the instance. */
function goneIsEmpty(error: unknown): string[] {
  if (["ENOENT", "ESRCH", "EACCES", "EPERM"].some((code) => hasCode(error, code))) return [];
  throw error;
}

/** `pid 4711 (nginx)` of whoever listens on a port, in words; null when it cannot be learnt. */
export async function describeOwner(inode: string): Promise<string | null> {
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const pid = Number(name);
    if (!(await socketInodes([pid])).has(inode)) continue;
    const command = (await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")).trim();
    return command === "" ? `process ${pid}` : `process ${pid} (${command})`;
  }
  return null;
}
