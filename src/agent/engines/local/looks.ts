import type { Clock } from "#model/clock.ts";
import type { Probe, Reason } from "#model/workload.ts";
import { httpStatus, tcpConnect } from "../../probe/http-get.ts";
import type { Look } from "../../probe/prober.ts";
import { describeOwner, type HeldSocket, heldSockets, isHeld, type Listener, listenersOn, readListeners } from "./listeners.ts";

const loopback = "127.0.0.1";
/** Until then "does not listen yet" is all there is to say; after it, it is worth looking where it listens instead. */
const diagnoseAfterMs = 1_000;
/** How often that is looked up: it reads every open file of the instance. */
const diagnoseEveryMs = 1_000;
/** A connection on the same machine is accepted at once or not at all; a queue that is full for this long is not. */
const acceptTimeoutMs = 1_000;

export interface LookOptions {
  readonly port: number | null;
  /** It must not listen where other machines reach it. */
  readonly isPrivate: boolean;
  readonly mainPid: number;
  /** All processes of the instance. */
  readonly pids: () => Promise<readonly number[]>;
  readonly runCommand: (command: string, timeoutMs: number, signal: AbortSignal) => Promise<Reason | null>;
  readonly clock: Clock;
}

/** What a probe asks of an instance. Whatever uses the port first makes sure that it is the instance that listens there. */
export function createLook(probe: Probe | null, options: LookOptions): Look {
  const { port, runCommand } = options;
  const listens = port === null ? null : createListenLook(port, options);
  const target = probe?.target ?? null;
  if (target === null) return listens ?? (async () => null);
  const timeoutMs = probe?.timeoutMs ?? 0;
  if (target.kind === "command") return (signal) => runCommand(target.run, timeoutMs, signal);
  return async (signal) => {
    if (port === null || listens === null)
      return { code: "NO_PORT", message: `a probe by ${target.kind} needs a port, and the process has none` };
    const notListening = await listens(signal);
    if (notListening !== null) return notListening;
    try {
      if (target.kind === "tcp") {
        await tcpConnect(loopback, port, timeoutMs, signal);
        return null;
      }
      const status = await httpStatus(loopback, port, target.path, timeoutMs, signal);
      if (status >= 200 && status < 400) return null;
      return { code: "PROBE_FAILED", message: `GET ${target.path} answers ${status}` };
    } catch (error) {
      const what = target.kind === "http" ? `GET ${target.path}` : `a connection to port ${port}`;
      return { code: "PROBE_FAILED", message: `${what} failed: ${error instanceof Error ? error.message : String(error)}` };
    }
  };
}

const open: Reason = {
  code: "LISTENS_OUTSIDE",
  message: "listens where other machines reach it, and traffic between machines is to be encrypted: listen on $HOST, which is 127.0.0.1",
};

/**
 * Whether the instance itself listens on `port`: something accepts a connection there, and the kernel's tables say that it is a process of the
 * instance and not a stranger that happens to have the port. Once that is known, it is enough that the process still holds that very socket.
 */
function createListenLook(port: number, { mainPid, pids, clock, isPrivate }: LookOptions): Look {
  let diagnoseAtMs = clock.monotonicMs() + diagnoseAfterMs;
  let diagnosis: Reason = { code: "NOT_LISTENING", message: `does not listen on $PORT ${port} yet` };
  let verified: HeldSocket | null = null;
  /** Almost always the main process listens; its children are asked only if it does not. */
  const findOwn = async ({ inode }: Listener) => heldSockets([mainPid]).get(inode) ?? heldSockets(await pids()).get(inode) ?? null;
  return async (signal) => {
    if (verified !== null && isHeld(verified)) return null;
    verified = null;
    if (!(await accepts(port, signal))) {
      if (clock.monotonicMs() >= diagnoseAtMs) {
        diagnoseAtMs = clock.monotonicMs() + diagnoseEveryMs;
        diagnosis = { code: "NOT_LISTENING", message: await whereInstead(port, await pids()) };
      }
      return diagnosis;
    }
    const candidates = listenersOn(port);
    if (candidates === null) return null;
    const reachable: Listener[] = [];
    for (const listener of candidates) {
      if (!listener.reachable) continue;
      reachable.push(listener);
      const own = await findOwn(listener);
      if (own !== null && isPrivate && listener.isOpen) return open;
      verified = own;
      if (verified !== null) return null;
    }
    const owner = await describeOwner(reachable[0]?.inode ?? "");
    // It may be of the instance itself and have ended since the table was read: only a stranger that is there is one.
    if (owner === null) return { code: "NOT_LISTENING", message: `port ${port} is held by a process that cannot be looked at` };
    return { code: "PORT_TAKEN", message: `port ${port} is held by ${owner}` };
  };
}

async function accepts(port: number, signal: AbortSignal): Promise<boolean> {
  return tcpConnect(loopback, port, acceptTimeoutMs, signal).then(
    () => true,
    () => false,
  );
}

async function whereInstead(port: number, pids: readonly number[]): Promise<string> {
  const own = heldSockets(pids);
  const mine = ((await readListeners()) ?? []).filter(({ inode }) => own.has(inode));
  if (mine.some((listener) => listener.port === port)) return `listens on $PORT ${port}, but not on 127.0.0.1 or 0.0.0.0 (on ::1 only?)`;
  const others = [...new Set(mine.map((listener) => listener.port))];
  if (others.length > 0) return `listens on ${others.slice(0, 5).join(", ")}, not on $PORT ${port}`;
  return `does not listen on $PORT ${port}`;
}
